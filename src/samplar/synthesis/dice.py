"""A seeded source of choices."""

from __future__ import annotations

from collections.abc import Mapping

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
        return bool(self._random.random() < probability)

    def within(self, limit: float) -> float:
        """Return a number from [-limit, limit]."""
        return float(self._random.uniform(-limit, limit)) * self._factor

    def up_to(self, limit: float) -> float:
        """Return a number from [0, limit]."""
        return float(self._random.uniform(0, limit)) * self._factor

    def log_of(self, bounds: Factor) -> float:
        """Return the logarithm of a multiplier within the bounds."""
        return float(self._random.uniform(*log_bounds(bounds))) * self._factor

    def one_of(self, weights: Mapping[str, float]) -> str:
        """Return a key, with chances in proportion to the weights."""
        names, values = list(weights), np.array(list(weights.values()), dtype=float)
        return str(names[int(self._random.choice(len(names), p=values / values.sum()))])

    def index(self, count: int) -> int:
        """Return a whole number below `count`."""
        return int(self._random.integers(count))

    def seed(self) -> int:
        """Return a seed for something that makes many numbers of its own."""
        return self.index(SEEDS)
