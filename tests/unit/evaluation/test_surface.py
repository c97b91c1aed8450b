from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import surface_distance
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from monai.metrics import compute_hausdorff_distance, compute_surface_dice
from scipy.ndimage import distance_transform_edt

from samplar.evaluation.surface import (
    SurfaceDistances,
    border,
    diagonal,
    hd95,
    nsd_percent,
    pooled_hd95,
    surface_distances,
)

MASKS = hnp.arrays(
    bool, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=7), elements=st.booleans()
).filter(np.any)


def test_border_of_a_cube_is_its_shell(cube):
    mask = cube((2, 2, 2), (6, 6, 6))

    assert np.array_equal(mask & ~border(mask), cube((3, 3, 3), (5, 5, 5)))


def test_the_edge_of_the_image_is_border():
    full = np.ones((4, 4, 4), dtype=bool)

    assert border(full).sum() == 64 - 8


def test_an_unlabelled_neighbour_is_no_border(cube):
    mask = cube((2, 2, 2), (8, 8, 8))
    labelled = np.zeros_like(mask)
    labelled[:, :, 5] = True

    outline = border(mask & labelled, labelled=labelled)

    assert outline.sum() == 6 * 6 - 4 * 4  # the contour in the one labelled slice, not the slice


def test_a_mask_that_fills_the_labelled_part_has_its_outline(cube):
    mask = cube((3, 3, 3), (6, 6, 6))

    assert np.array_equal(border(mask, labelled=mask), border(mask))


def test_shifted_cube_by_hand(cube):
    """Two cubes of side 4, one voxel of 3 mm apart along x."""
    truth, prediction = cube((2, 2, 2), (6, 6, 6)), cube((3, 2, 2), (7, 6, 6))

    distances = surface_distances(prediction, truth, spacing=(3.0, 1.0, 1.0))

    # Shell of 56; in the far face 12 rim voxels are 3 mm away, its 4 inner ones too; the inner 4
    # of the near face lie inside the other cube, 1 mm from the closest side wall.
    assert sorted(distances.to_truth) == [0.0] * 36 + [1.0] * 4 + [3.0] * 16
    assert sorted(distances.to_prediction) == sorted(distances.to_truth)
    assert hd95(distances) == 3.0
    assert nsd_percent(distances, tolerance=0.0) == pytest.approx(100 * 36 / 56)
    assert nsd_percent(distances, tolerance=1.0) == pytest.approx(100 * 40 / 56)
    assert nsd_percent(distances, tolerance=3.0) == 100.0


def test_hd95_is_the_larger_directed_percentile_and_pooled_is_not():
    truth = np.zeros((1, 40, 1), dtype=bool)
    prediction = truth.copy()
    truth[0, 0:2] = True
    prediction[0, [0, 1, 11]] = True

    distances = surface_distances(prediction, truth, spacing=(1.0, 1.0, 1.0))

    assert sorted(distances.to_truth) == [0.0, 0.0, 10.0]
    assert sorted(distances.to_prediction) == [0.0, 0.0]
    assert hd95(distances) == pytest.approx(9.0)  # 0.95 * 2 = 1.9 between 0 and 10
    assert pooled_hd95(distances) == pytest.approx(8.0)  # 0.95 * 4 = 3.8 between 0 and 10


def test_anisotropic_volume_measures_in_mm(cube):
    """0.3 x 0.3 x 6 mm: one slice off costs 6 mm, one pixel off costs 0.3 mm."""
    spacing = (0.3, 0.3, 6.0)
    truth = cube((2, 2, 4), (8, 8, 5))

    slice_off = surface_distances(cube((2, 2, 5), (8, 8, 6)), truth, spacing=spacing)
    pixel_off = surface_distances(cube((3, 2, 4), (9, 8, 5)), truth, spacing=spacing)

    assert hd95(slice_off) == pytest.approx(6.0)
    assert nsd_percent(slice_off, tolerance=5.9) == 0.0
    assert hd95(pixel_off) == pytest.approx(0.3)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_slice_is_two_dimensional(cube, axis):
    """The border is the outline, whichever axis is the single one and whatever its spacing."""
    flat = cube((2, 2), (7, 7), shape=(10, 10))
    shifted = np.roll(flat, 1, axis=0)
    spacing = (*[0.5] * axis, 6.0, *[0.5] * (2 - axis))

    distances = surface_distances(
        np.expand_dims(shifted, axis), np.expand_dims(flat, axis), spacing=spacing
    )

    assert distances.to_truth.size == 25 - 9
    assert sorted(distances.to_truth) == [0.0] * 8 + [0.5] * 8


def test_a_single_voxel_image():
    one = np.ones((1, 1, 1), dtype=bool)

    assert hd95(surface_distances(one, one, spacing=(1.0, 1.0, 1.0))) == 0.0


def test_tolerance_reaches_distances_that_only_rounding_lifts_over_it():
    truth, prediction = np.zeros((2, 10, 1, 1), dtype=bool)
    truth[0], prediction[3] = True, True

    distances = surface_distances(prediction, truth, spacing=(0.1, 1.0, 1.0))

    assert distances.to_truth[0] > 0.3
    assert nsd_percent(distances, tolerance=0.3) == 100.0


def test_diagonal_leaves_out_the_single_axis():
    assert diagonal((3, 4, 1), spacing=(1.0, 1.0, 50.0)) == 5.0
    assert diagonal((2, 4, 8), spacing=(0.5, 2.0, 0.25)) == pytest.approx((1 + 64 + 4) ** 0.5)


@pytest.mark.filterwarnings("ignore:monai:FutureWarning")
@pytest.mark.parametrize("shape", [(24, 20, 16), (40, 32)])
@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_monai(blob, seed, shape):
    prediction, truth = blob(seed, shape), blob(seed + 50, shape)
    spacing = (0.7, 1.3, 2.9)[: len(shape)]
    batch = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (prediction, truth)]

    distances = surface_distances(prediction, truth, spacing=spacing)
    theirs = compute_hausdorff_distance(
        *batch, include_background=True, percentile=95, spacing=spacing
    )
    dice = compute_surface_dice(*batch, [1.5], include_background=True, spacing=spacing)

    assert hd95(distances) == pytest.approx(float(theirs), rel=1e-5)
    assert nsd_percent(distances, tolerance=1.5) / 100 == pytest.approx(float(dice), abs=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:surface_distance")
@pytest.mark.parametrize("seed", range(4))
def test_is_close_to_the_surface_element_package(blob, seed):
    """Border voxels against surface elements: the same measure, counted in another way."""
    truth = blob(seed, (40, 36, 32), 0.3)
    prediction = np.roll(truth, 1, axis=seed % 3)
    spacing = (1.0, 1.0, 1.5)

    ours = surface_distances(prediction, truth, spacing=spacing)
    theirs = surface_distance.compute_surface_distances(truth, prediction, spacing)

    for tolerance in (1.5, 2.0, 3.0):
        expected = surface_distance.compute_surface_dice_at_tolerance(theirs, tolerance)
        assert nsd_percent(ours, tolerance=tolerance) == pytest.approx(100 * expected, abs=1.5)
    below = surface_distance.compute_surface_dice_at_tolerance(theirs, 0.5)
    assert nsd_percent(ours, tolerance=0.5) < 100 * below
    robust = surface_distance.compute_robust_hausdorff(theirs, 95)
    assert hd95(ours) == pytest.approx(robust, abs=1.5)  # one voxel at most


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_distance_transforms(blob, seed):
    prediction, truth = blob(seed), blob(seed + 50)
    spacing = (0.7, 1.3, 2.9)

    distances = surface_distances(prediction, truth, spacing=spacing)
    to_truth = distance_transform_edt(~border(truth), sampling=spacing)[border(prediction)]
    to_prediction = distance_transform_edt(~border(prediction), sampling=spacing)[border(truth)]

    np.testing.assert_allclose(distances.to_truth, to_truth, atol=1e-9)
    np.testing.assert_allclose(distances.to_prediction, to_prediction, atol=1e-9)


def _measures(prediction: np.ndarray, truth: np.ndarray, scale: float = 1.0) -> tuple[float, ...]:
    spacing = (0.5 * scale, 1.0 * scale, 2.0 * scale)
    distances = surface_distances(prediction, truth, spacing=spacing)
    return hd95(distances), nsd_percent(distances, tolerance=1.0 * scale)


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_a_mask_agrees_with_itself(mask):
    assert _measures(mask, mask) == (0.0, 100.0)


@settings(max_examples=60, deadline=None)
@given(MASKS, st.randoms(use_true_random=False))
def test_is_symmetric_and_scales_and_moves(mask, random):
    other = mask.ravel().copy()
    random.shuffle(other)
    other = other.reshape(mask.shape)
    distance, share = _measures(mask, other)

    assert _measures(other, mask) == pytest.approx((distance, share))
    assert _measures(mask, other, scale=4.0) == pytest.approx((4 * distance, share))
    assert 0 <= share <= 100
    assert distance <= diagonal(mask.shape, spacing=(0.5, 1.0, 2.0))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.tuples(*[st.integers(0, 4)] * 3))
def test_does_not_depend_on_where_in_the_image(seed, shift):
    masks = np.random.default_rng(seed).random((2, 5, 5, 5)) < 0.4
    masks[:, 2, 2, 2] = True
    home = [np.pad(mask, ((1, 5),) * 3) for mask in masks]
    moved = [np.roll(mask, shift, axis=(0, 1, 2)) for mask in home]

    assert _measures(*moved) == pytest.approx(_measures(*home))


def test_an_image_of_one_voxel_has_its_first_axis():
    assert diagonal((1, 1, 1), spacing=(2.0, 3.0, 4.0)) == 2.0


def test_the_share_within_reach_counts_both_surfaces():
    truth, prediction = np.zeros((2, 12, 1, 1), dtype=bool)
    truth[[0, 11]], prediction[0] = True, True
    distances = surface_distances(prediction, truth, spacing=(1.0, 1.0, 1.0))
    assert nsd_percent(distances, tolerance=10.9) == pytest.approx(200 / 3)
    assert nsd_percent(distances, tolerance=11.0) == 100


def test_distances_cannot_be_exchanged():
    with pytest.raises(FrozenInstanceError):
        SurfaceDistances(np.zeros(1), np.zeros(1)).to_truth = np.ones(1)
