"""Rank correlation: whether two lists of numbers put the same things in the same order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

FEWEST = 3


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return Spearman's coefficient, -1..1: Pearson's of the ranks, equal values sharing theirs.

    None for fewer than three pairs, and where all values of a list are equal.
    """
    if len(one) < FEWEST:
        return None
    a, b = (_ranks(np.asarray(values, dtype=np.float64)) for values in (one, other))
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return the rank of each value less a half, which no correlation sees."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - counts / 2)[places]
