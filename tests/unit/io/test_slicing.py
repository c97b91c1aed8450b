from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samplar.io.affine import Affine
from samplar.io.slicing import choose_plane, neighbours, slicing_of
from samplar.io.volume import LabelVolume, Volume

PLANES = ("axial", "coronal", "sagittal")
ORDERS = list(product(permutations(range(3)), product((-1, 1), repeat=3)))


def volume(array, matrix, unit="mm") -> Volume:
    return Volume(array, Affine(matrix), unit, (Path("a.nii"),))


def laid(order, signs, *, spacing=(1, 1, 1), turn=None) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = (np.eye(3) if turn is None else turn) @ (
        np.eye(3)[:, order] * (np.array(signs) * spacing)
    )
    return matrix


def rotation(angles) -> np.ndarray:
    made = np.eye(3)
    for axis, angle in enumerate(np.radians(angles)):
        a, b = [i for i in range(3) if i != axis]
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        made = made @ turn
    return made


def head() -> np.ndarray:
    """Return a (1, 5, 6, 7) volume in RAS order whose values tell right, front and up."""
    x, y, z = np.meshgrid(range(5), range(6), range(7), indexing="ij")
    return (100 * x + 10 * y + z)[None]


@pytest.mark.parametrize("order", ORDERS)
def test_the_same_head_gives_the_same_slices_in_every_file_order(order):
    axes, signs = order
    array = head().transpose(0, *(1 + axis for axis in axes))
    for axis, sign in enumerate(signs, start=1):
        array = np.flip(array, axis) if sign < 0 else array
    stored = volume(array, laid(axes, signs))
    # axial: rows from front to back, columns from the patient's right to left
    slicing = slicing_of(stored, "axial")
    slices = slicing.cut(stored.array)
    assert slices.shape == (7, 1, 6, 5)
    first = slices[0, 0]
    assert first[0, 0] - first[1, 0] == 10
    assert first[0, 0] - first[0, 1] == 100
    # coronal: rows from top to bottom, columns right to left
    first = slicing_of(stored, "coronal").cut(stored.array)[0, 0]
    assert first.shape == (7, 5)
    assert (first[0, 0] - first[1, 0], first[0, 0] - first[0, 1]) == (1, 100)
    # sagittal: rows from top to bottom, columns front to back
    first = slicing_of(stored, "sagittal").cut(stored.array)[0, 0]
    assert first.shape == (7, 6)
    assert (first[0, 0] - first[1, 0], first[0, 0] - first[0, 1]) == (1, 10)


@settings(max_examples=200, deadline=None)
@given(
    order=st.sampled_from(ORDERS),
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    plane=st.sampled_from(PLANES),
    lead=st.sampled_from([(), (1,), (3,), (2, 3)]),
)
def test_stack_undoes_cut_on_any_grid(order, angles, plane, lead):
    shape = (3, 4, 5)
    matrix = laid(*order, spacing=(0.7, 1.3, 4), turn=rotation(angles))
    grid = LabelVolume(np.zeros(shape, dtype=np.uint8), Affine(matrix), "mm", Path("a.nii"))
    slicing = slicing_of(grid, plane)
    array = np.arange(np.prod((*lead, *shape))).reshape(*lead, *shape)
    slices = slicing.cut(array)
    assert slices.shape[0] == shape[slicing.axis]
    assert slices.shape[1:-2] == lead
    assert np.array_equal(slicing.stack(slices), array)
    assert np.array_equal(slicing.cut(slicing.stack(slices)), slices)
    assert sorted((slicing.axis, slicing.rows, slicing.columns)) == [0, 1, 2]
    sizes = (0.7, 1.3, 4)
    assert slicing.slice_spacing == pytest.approx(sizes[slicing.axis])
    assert slicing.pixel_spacing == pytest.approx((sizes[slicing.rows], sizes[slicing.columns]))


@pytest.mark.parametrize("order", ORDERS)
def test_slices_are_numbered_in_file_order(order):
    array = np.random.default_rng(0).random((1, 3, 4, 5))
    stored = volume(array, laid(*order, turn=rotation((20, -15, 30))))
    for plane in PLANES:
        slicing = slicing_of(stored, plane)
        for number, cut in enumerate(slicing.cut(array)):
            expected = np.take(array, number, axis=1 + slicing.axis)
            assert sorted(cut.ravel()) == sorted(expected.ravel())


def test_an_identity_affine_is_cut_along_its_last_axis():
    stored = volume(np.zeros((1, 216, 256, 10)), np.eye(4), "px")
    slicing = slicing_of(stored, "axial")
    assert slicing.axis == 2
    assert slicing.cut(stored.array).shape == (10, 1, 256, 216)


@pytest.mark.parametrize("plane", PLANES)
def test_a_plain_image_is_one_untouched_slice(plane):
    array = np.random.default_rng(0).random((3, 20, 30, 1))
    plain = Volume(array, Affine.pixels(), "px", (Path("a.png"),))
    slicing = slicing_of(plain, plane)
    slices = slicing.cut(array)
    assert slices.shape == (1, 3, 20, 30)
    assert np.array_equal(slices[0], array[..., 0])
    assert np.array_equal(slicing.stack(slices), array)


@pytest.mark.parametrize(
    ("matrix", "plane"),
    [
        (np.eye(4), "axial"),
        (np.diag([1, 1, 5, 1]), "axial"),
        (np.diag([5, 1, 1, 1]), "sagittal"),
        (np.diag([1, 5, 1, 1]), "coronal"),
        (np.diag([1, 1.9, 1, 1]), "axial"),
        (np.diag([2, 4, 4, 1]), "axial"),
        (laid((1, 2, 0), (1, 1, 1), spacing=(1, 1, 3)), "sagittal"),
        (laid((0, 2, 1), (1, -1, 1), spacing=(1, 1, 2)), "coronal"),
    ],
)
def test_the_thin_direction_decides_the_plane(matrix, plane):
    assert choose_plane([Affine(matrix)]) == plane


def test_the_majority_decides_and_ties_go_to_axial():
    coronal, axial = Affine(np.diag([1, 5, 1, 1])), Affine(np.eye(4))
    assert choose_plane([coronal, coronal, axial]) == "coronal"
    assert choose_plane([coronal, axial]) == "axial"
    assert choose_plane([]) == "axial"


@pytest.mark.parametrize(
    ("number", "count", "around", "near"),
    [
        (2, 5, 0, [2]),
        (2, 5, 1, [1, 2, 3]),
        (0, 5, 2, [0, 0, 0, 1, 2]),
        (4, 5, 2, [2, 3, 4, 4, 4]),
        (0, 1, 1, [0, 0, 0]),
    ],
)
def test_beyond_the_ends_the_first_and_last_slice_are_repeated(number, count, around, near):
    assert neighbours(number, count, around=around) == near
