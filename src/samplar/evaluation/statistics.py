"""How sure a difference between two methods is: a paired bootstrap over subjects and draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.stats import rankdata

SAMPLES = 2000
LEVEL = 95.0
SEED = 0

ScoreArray = Float64[np.ndarray, "draws seeds subjects classes"]
"""A subject's score for a class, NaN where it does not count or was not computed."""


@dataclass(frozen=True)
class Difference:
    """A mean difference with the bounds of its interval, and over how much it was taken."""

    mean: float
    low: float
    high: float
    subjects: int
    draws: int

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def paired_difference(
    first: Float64[np.ndarray, "draws s subjects classes"],
    second: Float64[np.ndarray, "draws t subjects classes"],
    *,
    samples: int = SAMPLES,
    level: float = LEVEL,
    seed: int = SEED,
) -> Difference:
    """Compare two methods on the same draws and subjects.

    What is compared is the mean of `mean_score`. In each sample subjects are drawn with replacement
    from the subjects, and draws of exemplars from the draws, independently of each other; both
    methods are given the same sample (Owen, The pigeonhole bootstrap, 2007: it is on the safe side
    for crossed data). Bounds are percentiles of the samples. Seeds are not resampled. With one draw
    the interval says nothing about the choice of exemplars.

    Args:
        first: scores of the method.
        second: scores of the one it is compared with; it may have other seeds.
        samples: how many.
        level: of the interval, in percent.
        seed: of the samples.
    """
    draws, subjects = first.shape[0], first.shape[2]
    chance = np.random.default_rng(seed)
    by_subject = chance.multinomial(subjects, np.full(subjects, 1 / subjects), size=samples)
    by_draw = chance.multinomial(draws, np.full(draws, 1 / draws), size=samples)
    weights = by_subject.astype(float), by_draw.astype(float)
    spread = mean_score(first, *weights) - mean_score(second, *weights)
    whole = np.ones((1, subjects)), np.ones((1, draws))
    mean = mean_score(first, *whole) - mean_score(second, *whole)
    low, high = np.nanpercentile(spread, [(100 - level) / 2, (100 + level) / 2])
    return Difference(float(mean[0]), float(low), float(high), subjects, draws)


def mean_score(
    scores: ScoreArray,
    by_subject: Float64[np.ndarray, "samples subjects"],
    by_draw: Float64[np.ndarray, "samples draws"],
) -> Float64[np.ndarray, " samples"]:
    """Return the mean under each row of weights, as the tables have it.

    Over subjects for each class, then over classes, then over the seeds of a draw, then over draws;
    each over what is there. NaN where nothing is.
    """
    there = ~np.isnan(scores)
    total = np.einsum("ns,drsc->ndrc", by_subject, np.nan_to_num(scores))
    count = np.einsum("ns,drsc->ndrc", by_subject, there.astype(float))
    of_class = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    of_draw = _mean(_mean(of_class))
    known = ~np.isnan(of_draw)
    weights = by_draw * known
    summed = (weights * np.nan_to_num(of_draw)).sum(axis=1)
    weight = weights.sum(axis=1)
    return np.divide(summed, weight, out=np.full_like(summed, np.nan), where=weight > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    """Average over the last axis what is not NaN."""
    there = ~np.isnan(values)
    count = there.sum(axis=-1)
    total = np.nansum(values, axis=-1)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def ranks(means: Mapping[str, float]) -> dict[str, float]:
    """Rank methods by their mean, 1 for the highest; equal ones share the mean of their ranks."""
    found = rankdata([-mean for mean in means.values()])
    return {name: float(found[place]) for place, name in enumerate(means)}
