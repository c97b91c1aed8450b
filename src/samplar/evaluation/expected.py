"""The Dice to expect of a prediction without knowing the truth, from its probabilities."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Num


def expected_dsc(
    predicted: Num[np.ndarray, "n k"], inside: Num[np.ndarray, "n k"], total: Num[np.ndarray, "n k"]
) -> list[float | None]:
    """Return for each class the DSC (0..100) to expect; None where nothing was given the class.

    With P the voxels given a class and p its probability, which is taken at its word, the truth is
    expected to share sum over P of p with P and to have as many voxels as p sums up to: Dice is
    about 2 * inside / (|P| + total): the ratio of the expectations.

    Args:
        predicted: how many voxels of each slice were given the class.
        inside: the sum of its probability over those.
        total: the sum of its probability over all voxels that may be of the class.
    """
    counts, shared, true = (array.sum(axis=0) for array in (predicted, inside, total))
    return [
        200.0 * float(s) / (float(n) + float(t)) if n else None
        for n, s, t in zip(counts, shared, true, strict=True)
    ]


def expected_errors(
    predicted: Num[np.ndarray, "n k"], inside: Num[np.ndarray, "n k"], total: Num[np.ndarray, "n k"]
) -> Num[np.ndarray, " n"]:
    """Return for each slice how many voxels of its classes are expected to be wrong or missing."""
    return ((predicted - inside) + (total - inside)).sum(axis=1)


def gaps(predicted: Num[np.ndarray, " n"]) -> list[tuple[int, int]]:
    """Return the pairs of slices that have a class while none between them has it."""
    found = np.flatnonzero(predicted > 0).tolist()
    return [(above, below) for above, below in pairwise(found) if below - above > 1]
