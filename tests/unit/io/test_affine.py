from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samplar.errors import InputError
from samplar.io.affine import Affine, corners_of


def rotated(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0, 5], [s, c, 0, -3], [0, 0, 1, 2], [0, 0, 0, 1]])


def test_spacing_and_orientation_of_an_unrotated_grid():
    affine = Affine(np.diag([-0.5, 2.0, 3.0, 1.0]))
    assert affine.spacing == (0.5, 2.0, 3.0)
    assert affine.orientation == ("L", "A", "S")
    assert affine.shear_degrees == 0


def test_corners_are_the_centres_of_the_corner_voxels():
    affine = Affine(np.array([[2, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1.0]]))
    corners = affine.corners((2, 3, 4))
    assert corners.shape == (8, 3)
    assert corners.min(axis=0).tolist() == [10, 20, 30]
    assert corners.max(axis=0).tolist() == [12, 26, 42]
    assert np.array_equal(corners, corners_of(affine.matrix, (2, 3, 4)))


def test_distance_is_that_of_the_worst_corner():
    straight, turned = Affine(rotated(0)), Affine(rotated(90))
    # corner (3, 3) goes to (-3, 3): 6 mm away
    assert straight.distance(turned, (4, 4, 1)) == pytest.approx(6)
    assert straight.agrees_with(turned, (4, 4, 1), 6.01)
    assert not straight.agrees_with(turned, (4, 4, 1), 5.99)


def test_shear_is_given_in_degrees():
    sheared = np.eye(4)
    sheared[:3, 1] = [np.sin(np.radians(10)), np.cos(np.radians(10)), 0]
    assert Affine(sheared).shear_degrees == pytest.approx(10)
    assert Affine(rotated(37)).shear_degrees == pytest.approx(0, abs=1e-9)


def test_a_plain_image_lies_as_it_is_displayed():
    affine = Affine.pixels()
    assert affine.orientation == ("P", "L", "S")
    assert affine.spacing == (1, 1, 1)
    assert affine.is_pixels
    assert not Affine(np.eye(4)).is_pixels


def test_scaled_runs_left_posterior_up():
    affine = Affine.scaled((0.5, 0.6, 5.0))
    assert affine.orientation == ("L", "P", "S")
    assert affine.spacing == (0.5, 0.6, 5.0)


def test_the_matrix_is_a_read_only_copy():
    given = np.eye(4)
    affine = Affine(given)
    given[0, 0] = 9
    assert affine.matrix[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        affine.matrix[0, 0] = 2


@pytest.mark.parametrize(
    ("matrix", "code", "words"),
    [
        (np.diag([1, 1, np.nan, 1]), "io.affine", "1 values that are not finite"),
        (np.diag([1, np.inf, 1, 1]), "io.affine", "1 values that are not finite"),
        (np.diag([1, 1, 0, 1]), "io.affine", "not invertible"),
        (
            np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
            "io.affine",
            "not inv",
        ),
        (np.diag([1, 1, 1, 2]), "io.affine", "last row"),
        (np.eye(3), "io.affine", "shape (3, 3)"),
        (np.diag([0.001, 1, 1, 1]), "io.spacing", "0.001 x 1 x 1 mm"),
        (np.diag([1, 1, 51, 1]), "io.spacing", "1 x 1 x 51 mm"),
    ],
)
def test_a_useless_matrix_is_refused(matrix, code, words):
    with pytest.raises(InputError) as caught:
        Affine(matrix, Path("scan.nii"))
    assert caught.value.code == code
    assert words in caught.value.problem
    assert caught.value.path == "scan.nii"
