from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax

from samplar.evaluation.calibration import (
    BINS,
    Reliability,
    fit_temperature,
    near_foreground,
    reach_of,
    reliability,
)


def drawn(*, count=60_000, classes=3, spread=2.0, seed=0):
    """Draw logits, and truths by exactly the probabilities that they stand for."""
    chance = np.random.default_rng(seed)
    logits = chance.normal(0, spread, (count, classes))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = (shares.cumsum(1) < chance.uniform(size=(count, 1))).sum(1)
    return logits, np.minimum(truth, classes - 1).astype(np.uint8)


def stack(shares, truth):
    """Turn (n, k) and (n,) into the (k, 1, 1, n) and (1, 1, n) of one slice."""
    return shares.T[:, None, None].astype(np.float32), truth[None, None]


@pytest.mark.parametrize("temperature", [0.3, 1.0, 1.7, 6.0])
def test_logits_that_were_scaled_give_the_scale_back(temperature):
    logits, truth = drawn()
    assert fit_temperature(logits * temperature, truth) == pytest.approx(temperature, rel=0.02)


def test_the_temperature_is_where_torch_finds_the_least_cross_entropy():
    logits, truth = drawn(count=500, seed=1)
    logits = np.sinh(logits)
    found = fit_temperature(logits, truth)
    sharpness = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([sharpness], max_iter=200, line_search_fn="strong_wolfe")
    given, target = torch.from_numpy(logits), torch.from_numpy(truth).long()

    def closure():
        search.zero_grad()
        loss = torch.nn.functional.cross_entropy(given * sharpness, target)
        loss.backward()
        return loss

    search.step(closure)
    assert found == pytest.approx(1 / sharpness.item(), rel=1e-3)
    assert found > 1.5


def plain_ece(shares, truth):
    """Compute the calibration error pixel by pixel, as it is written down."""
    total = 0.0
    for number in range(BINS):
        low, high = number / BINS, (number + 1) / BINS
        chosen = [n for n, row in enumerate(shares) if low < row.max() <= high]
        if chosen:
            right = np.mean([shares[n].argmax() == truth[n] for n in chosen])
            sure = np.mean([shares[n].max() for n in chosen])
            total += len(chosen) * abs(right - sure)
    return total / len(shares)


def test_the_calibration_error_is_that_of_the_definition():
    logits, truth = drawn(count=400, seed=2)
    shares = np.exp(3 * logits) / np.exp(3 * logits).sum(1, keepdims=True)
    assert reliability(*stack(shares, truth)).ece == pytest.approx(
        plain_ece(shares.astype(np.float32), truth), abs=1e-6
    )


def test_true_probabilities_have_no_error_and_sharpened_ones_do():
    logits, truth = drawn()
    given = logits.T[:, None, None]
    honest = reliability(softmax(given, axis=0), truth[None, None])
    boasting = reliability(softmax(3 * given, axis=0), truth[None, None])
    assert honest.ece < 0.01
    assert boasting.ece > 0.1


def test_certainty_that_is_right_every_second_time_is_off_by_a_half():
    shares = np.tile([1.0, 0.0], (10, 1))
    truth = np.array([0, 1] * 5, dtype=np.uint8)
    found = reliability(*stack(shares, truth))
    assert found.ece == pytest.approx(0.5)
    assert found.points() == [(1.0, 0.5, 10)]


def test_there_are_fifteen_bins_that_end_where_the_next_begins():
    shares = np.array([[0.55, 0.45], [0.61, 0.39], [0.3, 0.7], [1.0, 0.0]])
    found = reliability(*stack(shares, np.zeros(4, dtype=np.uint8)))
    assert [n for n, count in enumerate(found.pixels) if count] == [8, 9, 10, 14]
    assert len(found.pixels) == 15
    assert found.correct[10] == 0


def test_sums_of_parts_are_the_sums_of_the_whole():
    logits, truth = drawn(count=300)
    shares = softmax(logits.T[:, None, None], axis=0)
    whole = reliability(shares, truth[None, None])
    parts = reliability(shares[..., :100], truth[None, None, :100]) + reliability(
        shares[..., 100:], truth[None, None, 100:]
    )
    assert parts.pixels == whole.pixels
    assert parts.correct == whole.correct
    assert parts.ece == pytest.approx(whole.ece)


def test_unlabelled_pixels_and_those_outside_the_region_do_not_count():
    logits, truth = drawn(count=300)
    shares, where = softmax(logits.T[:, None, None], axis=0), np.zeros((1, 1, 300), dtype=bool)
    where[..., :120] = True
    truth = truth[None, None].copy()
    truth[..., :20] = 255
    found = reliability(shares, truth, region=where)
    assert sum(found.pixels) == 100
    assert found == reliability(shares[..., 20:120], truth[..., 20:120])


def test_without_pixels_there_is_no_error():
    assert Reliability().ece is None
    assert Reliability().points() == []


def test_the_region_is_around_what_either_has_in_its_own_slice():
    prediction, truth = (np.zeros((3, 100, 50), dtype=np.uint8) for _ in range(2))
    prediction[0, 50, 25] = 2
    truth[1, 10, 10] = 1
    truth[2] = 255
    region = near_foreground(prediction, truth)
    rows, columns = np.mgrid[:100, :50]
    assert np.array_equal(region[0], abs(rows - 50) + abs(columns - 25) <= 2)
    assert np.array_equal(region[1], abs(rows - 10) + abs(columns - 10) <= 2)
    assert not region[2].any()


@pytest.mark.parametrize(("right", "temperature"), [(True, 0.05), (False, 20.0)])
def test_the_temperature_stays_within_its_bounds(right, temperature):
    logits = np.tile([0.3, 0.0], (50, 1))
    truth = np.full(50, 0 if right else 1, dtype=np.uint8)
    assert fit_temperature(logits, truth) == pytest.approx(temperature, rel=1e-3)


@pytest.mark.parametrize("top", [0.05, 0.06, 0.0])
def test_the_lowest_probabilities_are_in_the_first_bin(top):
    shares = np.full((4, 20), top)
    assert reliability(*stack(shares, np.zeros(4, dtype=np.uint8))).pixels == (4, *(0,) * 14)


def test_a_probability_that_rounding_lifts_over_one_is_in_the_last_bin():
    shares = np.array([[np.nextafter(np.float32(1), np.float32(2)), 0.0]])
    assert reliability(*stack(shares, np.zeros(1, dtype=np.uint8))).pixels == (*(0,) * 14, 1)


def test_nothing_added_changes_nothing():
    logits, truth = drawn(count=50)
    found = reliability(softmax(logits.T[:, None, None], axis=0), truth[None, None])
    assert Reliability() + found == found


@pytest.mark.parametrize("short", ["pixels", "confidence", "correct"])
def test_bins_of_another_number_are_never_added_in_part(short):
    broken = Reliability(pixels=(1,) * BINS).model_copy(update={short: (1,)})
    with pytest.raises(ValueError, match="zip"):
        broken + Reliability()
    with pytest.raises(ValueError, match="zip"):
        broken.points()


def test_no_error_is_taken_of_bins_that_do_not_match():
    broken = Reliability(pixels=(1,) * BINS, correct=(1,))
    with pytest.raises(ValueError, match="zip"):
        _ = broken.ece


@pytest.mark.parametrize(
    ("height", "width", "reach"),
    [(1, 1, 1), (50, 20, 1), (20, 50, 1), (74, 1, 1), (76, 1, 2), (1, 76, 2), (512, 300, 10)],
)
def test_near_is_a_fiftieth_of_the_longer_side_and_at_least_a_pixel(height, width, reach):
    assert reach_of(height, width) == reach


@pytest.mark.parametrize("shape", [(100, 4), (4, 100)])
def test_the_region_reaches_as_far_whichever_side_is_the_longer(shape):
    prediction = np.zeros((1, *shape), dtype=np.uint8)
    prediction[0, 2, 2] = 1
    region = near_foreground(prediction, np.zeros_like(prediction))
    rows, columns = np.indices(shape)
    assert np.array_equal(region[0], abs(rows - 2) + abs(columns - 2) <= 2)
