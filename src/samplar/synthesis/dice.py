"""A seeded source of choices."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate

import numpy as np

from samplar.config.synthesis import Factor, log_bounds

SEEDS = 2**31


class Dice:
    """A seeded source of choices whose amounts are scaled by the strength of the synthesis."""

    def __init__(self, seed: int, *, factor: float) -> None:
        self._random = np.random.default_rng(seed)
        self._factor = factor

    def happens(self, probability: float) -> bool:
        """Return True with this probability."""
        return self._random.random() < probability

    def within(self, limit: float) -> float:
        """Return a number from [-limit, limit]."""
        return self._between(-limit, limit)

    def up_to(self, limit: float) -> float:
        """Return a number from [0, limit]."""
        return self._between(0, limit)

    def log_of(self, bounds: Factor) -> float:
        """Return the logarithm of a multiplier within the bounds."""
        return self._between(*log_bounds(bounds))

    def _between(self, low: float, high: float) -> float:
        # what NumPy's `uniform` does, at a tenth of the time for a single number
        return (low + (high - low) * self._random.random()) * self._factor

    def one_of(self, weights: Mapping[str, float]) -> str:
        """Return a key, with chances in proportion to the weights."""
        bounds = list(accumulate(weights.values()))
        # what NumPy's `choice` does, at a fiftieth of the time
        place = bisect_right([bound / bounds[-1] for bound in bounds], self._random.random())
        return list(weights)[place]

    def index(self, count: int) -> int:
        """Return a whole number below `count`."""
        return int(self._random.integers(count))

    def seed(self) -> int:
        """Return a seed for something that makes many numbers of its own."""
        return self.index(SEEDS)
