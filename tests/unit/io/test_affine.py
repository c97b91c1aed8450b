from __future__ import annotations

from dataclasses import FrozenInstanceError
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


@pytest.mark.parametrize("sizes", [(0.01, 1, 1), (1, 50, 1), (50, 0.01, 50)])
def test_a_voxel_may_have_0_01_to_50_mm(sizes):
    assert Affine(np.diag([*sizes, 1.0])).spacing == sizes


@pytest.mark.parametrize("size", [0.0099, 50.1])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_and_nothing_outside(size, axis):
    matrix = np.eye(4)
    matrix[axis, axis] = size
    with pytest.raises(InputError, match=r"outside 0\.01 to 50 mm") as caught:
        Affine(matrix)
    assert caught.value.code == "io.spacing"


def test_spacing_is_along_the_voxel_axes_of_a_turned_grid():
    turned = rotated(30) @ np.diag([0.02, 3, 40, 1])
    turned[:, [0, 2]] = turned[:, [2, 0]]
    assert Affine(turned).spacing == pytest.approx((40, 3, 0.02))
    for scale in (0.4, 1.5):  # 0.008 mm and 60 mm
        with pytest.raises(InputError, match="voxel size"):
            Affine(turned @ np.diag([scale, scale, scale, 1]))


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (1, 2)])
def test_the_shear_is_that_of_the_most_skewed_pair(pair):
    sheared, (first, second) = np.eye(4), pair
    sheared[first, second] = np.tan(np.radians(20))
    assert Affine(sheared).shear_degrees == pytest.approx(20)


@pytest.mark.parametrize(("height", "fine"), [(0.0011, True), (0.0009, False)])
def test_axes_almost_in_one_plane_are_refused(height, fine):
    nearly = np.eye(4)
    nearly[:3, 1] = [1, height, 0]
    if fine:
        assert Affine(nearly).shear_degrees > 89
        return
    with pytest.raises(InputError, match="not invertible") as caught:
        Affine(nearly)
    assert "its axes are [[1.0, 0.0, 0.0], [1.0, 0.0009, 0.0]" in caught.value.problem


def test_axes_that_overflow_are_refused_without_a_warning():
    with pytest.raises(InputError):
        Affine(np.diag([1e200, 1, 1, 1]))


def test_every_value_that_is_not_finite_is_counted():
    with pytest.raises(InputError, match=r"\(4, 4\) with 2 values that are not finite"):
        Affine(np.diag([np.nan, 1, 1, np.inf]))


def test_rows_of_a_plain_image_run_back_and_columns_left():
    corners = Affine.pixels().corners((3, 5, 2))
    assert corners[0].tolist() == [0, 0, 0]
    assert corners[-1].tolist() == [-4, -2, 1]


def test_where_an_unrotated_image_lies():
    assert Affine.scaled((0.5, 0.6, 5.0)).corners((3, 3, 3))[-1].tolist() == [-1, -1.2, 10]


def test_the_same_affine_agrees_to_the_last_bit():
    affine, moved = Affine(rotated(20)), rotated(20)
    moved[2, 3] += 3
    assert affine.agrees_with(affine, (9, 9, 9), 0)
    assert affine.agrees_with(Affine(moved), (9, 9, 9), 3)
    assert not affine.agrees_with(Affine(moved), (9, 9, 9), 2.999)


def test_an_affine_cannot_be_given_another_matrix():
    with pytest.raises(FrozenInstanceError):
        Affine.pixels().matrix = np.eye(4)


def test_affines_are_compared_by_their_distance_and_never_by_their_matrices():
    assert len({Affine(np.eye(4)), Affine(np.eye(4))}) == 2
