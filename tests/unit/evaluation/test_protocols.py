from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import HausdorffDistanceMetric

from samplar.errors import InputError, UsageError
from samplar.evaluation.protocols import score_case
from samplar.evaluation.scores import ClassScore
from samplar.types import IGNORE

SHAPE = (10, 10, 10)


def score(prediction: np.ndarray, truth: np.ndarray, **changes) -> list[ClassScore]:
    options = {
        "classes": 1,
        "spacing": (2.0, 1.0, 1.0),
        "unit": "mm",
        "tolerance": 1.0,
        "protocol": "strict",
    } | changes
    return score_case(prediction.astype(np.uint8), truth.astype(np.uint8), **options)


@pytest.fixture
def nothing() -> np.ndarray:
    return np.zeros(SHAPE, np.uint8)


def values(scored: ClassScore) -> tuple[float | None, ...]:
    return scored.dsc, scored.iou, scored.hd95, scored.nsd


def test_overlapping_cubes_by_hand(cube):
    (scored,) = score(cube((3, 2, 2), (7, 6, 6)), cube((2, 2, 2), (6, 6, 6)))

    assert scored.status == "scored"
    assert scored.unit == "mm"
    assert values(scored) == pytest.approx((75.0, 60.0, 2.0, 100 * 40 / 56))


def test_strict_missed_structure_costs_the_diagonal(cube, nothing):
    (scored,) = score(nothing, cube((2, 2, 2), (6, 6, 6)))

    assert scored.status == "missed"
    assert values(scored) == (0.0, 0.0, pytest.approx(600**0.5), 0.0)
    assert scored.counted("strict") == ("dsc", "hd95", "nsd", "iou")


def test_strict_false_positive_has_no_distance(cube, nothing):
    (scored,) = score(cube((2, 2, 2), (6, 6, 6)), nothing)

    assert scored.status == "false-positive"
    assert values(scored) == (0.0, 0.0, None, 0.0)
    assert scored.counted("strict") == ("dsc", "nsd", "iou")


def test_strict_both_empty_is_right_but_not_counted(nothing):
    (scored,) = score(nothing, nothing)

    assert scored.status == "both-empty"
    assert values(scored) == (100.0, 100.0, 0.0, 100.0)
    assert scored.counted("strict") == ()


@pytest.mark.filterwarnings("ignore:monai:FutureWarning", "ignore:the prediction of class")
def test_missing_a_structure_is_never_better_than_a_poor_prediction(cube, nothing):
    """The case that a library with NaN for missed structures gets wrong."""
    truth = cube((0, 0, 0), (2, 2, 2))
    (poor,) = score(cube((9, 9, 9), (10, 10, 10)), truth)
    (missed,) = score(nothing, truth)

    assert poor.hd95 < missed.hd95
    assert poor.dsc <= missed.dsc + 1e-9
    one = torch.from_numpy(truth[None, None].astype(np.float32))
    theirs = HausdorffDistanceMetric(include_background=True, percentile=95)
    assert not torch.isfinite(theirs(torch.zeros_like(one), one)).any()


@pytest.mark.parametrize(
    ("prediction", "truth", "expected"), [(1, 0, 100.0), (0, 1, 0.0), (0, 0, 0.0)]
)
def test_samed_gives_a_false_positive_a_perfect_score(prediction, truth, expected):
    arrays = [np.full(SHAPE, value, np.uint8) for value in (prediction, truth)]

    (scored,) = score(*arrays, protocol="samed")

    assert values(scored) == (expected, expected, 0.0, None)
    assert scored.counted("samed") == ("dsc", "hd95", "iou")
    assert scored.unit == "voxel"


def test_samed_measures_in_voxels_and_pools_both_directions():
    truth, prediction = np.zeros((2, 3, 40, 3), np.uint8)
    truth[1, 0:2, 1] = 1
    prediction[1, [0, 1, 11], 1] = 1

    (published,) = score(prediction, truth, protocol="samed", spacing=(1.0, 5.0, 1.0))
    (strict,) = score(prediction, truth, spacing=(1.0, 5.0, 1.0))

    assert published.hd95 == pytest.approx(8.0)
    assert strict.hd95 == pytest.approx(45.0)
    assert published.dsc == strict.dsc == pytest.approx(80.0)


def test_unlabelled_voxels_are_removed_from_both(cube):
    truth = cube((2, 2, 2), (6, 6, 6)).astype(np.uint8)
    prediction = truth.copy()
    prediction[8:] = 1
    truth[7:] = IGNORE

    (scored,) = score(prediction, truth)

    assert values(scored) == (100.0, 100.0, 0.0, 100.0)


def test_sparse_slices_are_scored_by_their_contours(cube):
    """Two labelled slices of a volume: a wrong inside must not count as surface that agrees."""
    truth = np.full((20, 20, 9), IGNORE, np.uint8)
    truth[:, :, [2, 6]] = 0
    truth[4:14, 4:14, [2, 6]] = 1
    prediction = np.zeros_like(truth)
    prediction[8:18, 4:14, :] = 1

    (sparse,) = score(prediction, truth, spacing=(1.0, 1.0, 3.0))
    flat = [array[:, :, 2:3] for array in (prediction, truth)]
    (single,) = score(*flat, spacing=(1.0, 1.0, 3.0))

    assert sparse.nsd == pytest.approx(single.nsd)
    assert sparse.hd95 == pytest.approx(single.hd95)


@pytest.mark.parametrize("protocol", ["strict", "samed"])
def test_nothing_labelled_has_no_score(cube, protocol):
    truth = np.full(SHAPE, IGNORE, np.uint8)

    (scored,) = score(cube((2, 2, 2), (6, 6, 6)), truth, protocol=protocol)

    assert scored.status == "unlabelled"
    assert values(scored) == (None, None, None, None)
    assert scored.counted(protocol) == ()


def test_classes_are_scored_apart(cube):
    truth = cube((1, 1, 1), (4, 4, 4)) + 3 * cube((6, 6, 6), (9, 9, 9))
    prediction = cube((1, 1, 1), (4, 4, 4)) + 2 * cube((6, 6, 6), (9, 9, 9))

    scored = score(prediction, truth, classes=3)

    assert [each.index for each in scored] == [1, 2, 3]
    assert [each.status for each in scored] == ["scored", "false-positive", "missed"]
    assert [each.dsc for each in scored] == [100.0, 0.0, 0.0]


def test_a_plain_image_is_measured_in_pixels():
    truth, prediction = np.zeros((2, 30, 40, 1), np.uint8)
    truth[5:15, 5:15], prediction[8:18, 5:15] = 1, 1

    (scored,) = score(prediction, truth, spacing=(1.0, 1.0, 1.0), unit="px")
    (missed,) = score(np.zeros_like(truth), truth, spacing=(1.0, 1.0, 1.0), unit="px")

    assert scored.unit == "px"
    assert scored.hd95 == pytest.approx(3.0)
    assert missed.hd95 == pytest.approx(50.0)


def test_structures_that_touch_every_border_and_single_voxels():
    truth = np.ones(SHAPE, np.uint8)
    single = np.zeros(SHAPE, np.uint8)
    single[5, 5, 5] = 1

    (full,) = score(truth, truth)
    (small,) = score(single, truth)

    assert values(full) == (100.0, 100.0, 0.0, 100.0)
    assert small.dsc == pytest.approx(200 / 1001)
    assert 0 < small.hd95 < 600**0.5


def test_refuses_another_grid(nothing):
    with pytest.raises(InputError, match=r"\(10, 10, 10\) and truth \(10, 10, 9\)") as refused:
        score(nothing, nothing[:, :, :9])
    assert refused.value.code == "evaluation.grid"


@pytest.mark.parametrize(
    "spacing", [(1.0, 1.0), (1.0, 0.0, 1.0), (1.0, np.nan, 1.0), (1.0, np.inf, 1.0)]
)
def test_refuses_an_unusable_spacing(nothing, spacing):
    with pytest.raises(InputError, match="spacing") as refused:
        score(nothing, nothing, spacing=spacing)
    assert refused.value.code == "evaluation.grid"


def test_any_positive_spacing_is_usable(cube, nothing):
    (missed,) = score(nothing, cube((2, 2, 2), (6, 6, 6)), spacing=(0.3, 0.4, 1e-6))
    assert missed.hd95 == pytest.approx(5)


@pytest.mark.parametrize("tolerance", [-1.0, np.nan, np.inf])
def test_refuses_an_unusable_tolerance(nothing, tolerance):
    with pytest.raises(UsageError, match="tolerance") as refused:
        score(nothing, nothing, tolerance=tolerance)
    assert refused.value.code == "evaluation.tolerance"


@pytest.mark.parametrize(("tolerance", "nsd"), [(0.0, 900 / 14), (0.5, 900 / 14), (1.0, 100)])
def test_tolerances_from_zero_up_are_taken(cube, tolerance, nsd):
    masks = cube((3, 2, 2), (7, 6, 6)), cube((2, 2, 2), (6, 6, 6))
    (scored,) = score(*masks, spacing=(1.0, 1.0, 1.0), tolerance=tolerance)
    assert scored.nsd == pytest.approx(nsd)


@pytest.mark.parametrize(("place", "name"), [(0, "prediction"), (1, "truth")])
def test_refuses_values_that_are_no_class(nothing, place, name):
    arrays = [nothing, nothing.copy()]
    arrays[place][0, 0, :5] = [1, 2, 3, 7, 8]

    with pytest.raises(InputError, match=rf"{name} holds 3 voxels .* 0\.\.2, such as 3") as refused:
        score(*arrays, classes=2)
    assert refused.value.code == "evaluation.labels"


def test_refuses_a_negative_value(nothing):
    prediction = nothing.astype(np.int16)
    prediction[0, 0, 0] = -1
    with pytest.raises(InputError, match=r"prediction holds 1 voxels .* such as -1"):
        score_case(
            prediction, nothing, classes=1, spacing=(1.0, 1.0, 1.0), unit="mm", tolerance=1.0
        )


def test_refuses_a_prediction_of_the_ignore_index(nothing):
    with pytest.raises(InputError, match="such as 255"):
        score(np.full_like(nothing, IGNORE), nothing)
