"""The bootstrap against a slow one that follows its words, sample by sample."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from statistics import fmean

import numpy as np
import pytest

from samplar.evaluation.statistics import Difference, mean_score, paired_difference, ranks


def scores(seed: int, *, seeds: int = 2, gaps: bool = True) -> np.ndarray:
    chance = np.random.default_rng(seed)
    found = chance.uniform(20, 90, (3, seeds, 7, 2))
    if gaps:
        found[chance.random(found.shape) < 0.15] = np.nan
    return found


def slow_mean(array: np.ndarray, draws: list[int], subjects: list[int]) -> float:
    of_draws = []
    for draw in draws:
        of_seeds = []
        for runs in array[draw]:
            classes = []
            for index in range(array.shape[3]):
                known = [runs[s, index] for s in subjects if not np.isnan(runs[s, index])]
                classes += [fmean(known)] if known else []
            of_seeds += [fmean(classes)] if classes else []
        of_draws += [fmean(of_seeds)] if of_seeds else []
    return fmean(of_draws)


def slow_interval(first: np.ndarray, second: np.ndarray, samples: int) -> tuple[float, float]:
    chance = np.random.default_rng(5)
    draws, _, subjects, _ = first.shape
    by_subject = chance.multinomial(subjects, [1 / subjects] * subjects, size=samples)
    by_draw = chance.multinomial(draws, [1 / draws] * draws, size=samples)
    found = []
    for of_subject, of_draw in zip(by_subject, by_draw, strict=True):
        chosen = [s for s in range(subjects) for _ in range(of_subject[s])]
        drawn = [d for d in range(draws) for _ in range(of_draw[d])]
        found.append(slow_mean(first, drawn, chosen) - slow_mean(second, drawn, chosen))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def test_agrees_with_the_slow_computation():
    first, second = scores(0), scores(1, seeds=1)
    found = paired_difference(first, second, samples=40, seed=5)
    everything = list(range(3)), list(range(7))
    expected = slow_mean(first, *everything) - slow_mean(second, *everything)
    assert found.mean == pytest.approx(expected)
    assert (found.low, found.high) == pytest.approx(slow_interval(first, second, 40))
    assert (found.subjects, found.draws) == (7, 3)


def test_a_constant_difference_has_no_width_because_samples_are_paired():
    first = scores(2, gaps=False)
    found = paired_difference(first, first - 3)
    assert (found.mean, found.low, found.high) == pytest.approx((3, 3, 3))
    assert found.clear


def test_no_difference_is_not_clear():
    chance = np.random.default_rng(3)
    first = scores(4, gaps=False)
    found = paired_difference(first, first + chance.normal(0, 5, first.shape))
    assert found.low < 0 < found.high
    assert not found.clear


def test_equal_seeds_give_equal_bounds_and_others_do_not():
    first, second = scores(0), scores(1)
    again = paired_difference(first, second, samples=100, seed=1)
    assert paired_difference(first, second, samples=100, seed=1) == again
    assert paired_difference(first, second, samples=100, seed=2).low != again.low


def test_a_draw_without_scores_counts_as_not_there():
    array = scores(0, gaps=False)
    array[1] = np.nan
    whole = np.ones((1, 7)), np.ones((1, 3))
    assert mean_score(array, *whole)[0] == pytest.approx(slow_mean(array, [0, 2], list(range(7))))
    nothing = np.full_like(array, np.nan)
    assert np.isnan(mean_score(nothing, *whole)[0])


def test_ranks_share_ties():
    assert ranks({"a": 50.0, "b": 80.0, "c": 50.0}) == {"a": 2.5, "b": 1.0, "c": 2.5}


def test_unless_told_otherwise_intervals_are_as_published():
    """2000 samples, 95 per cent and seed 0: other defaults would change every table."""
    first, second = scores(0), scores(1)
    stated = paired_difference(first, second, samples=2000, level=95.0, seed=0)
    assert paired_difference(first, second) == stated


@pytest.mark.parametrize("level", [50.0, 90.0])
def test_an_interval_holds_its_share_of_the_samples(level):
    chance = np.random.default_rng(0)
    first = chance.normal(0, 10, (1, 1, 200, 1))
    found = paired_difference(first, np.zeros_like(first), level=level)
    wide = {50.0: 0.674, 90.0: 1.645}[level] * first.std() / 200**0.5
    assert found.high - found.mean == pytest.approx(wide, rel=0.1)
    assert found.mean - found.low == pytest.approx(wide, rel=0.1)


@pytest.mark.parametrize(
    ("low", "high", "clear"),
    [(0.0, 1.0, 0), (-1.0, 0.0, 0), (0.0, 0.0, 0), (1e-9, 1.0, 1), (-1.0, -1e-9, 1)],
)
def test_a_difference_is_clear_if_its_interval_leaves_out_zero(low, high, clear):
    assert Difference(0.0, low, high, subjects=3, draws=1).clear == bool(clear)


def test_a_difference_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Difference(0.0, -1.0, 1.0, subjects=3, draws=1).mean = 1.0
