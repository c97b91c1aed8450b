from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter


@pytest.fixture(scope="session")
def blob() -> Callable[..., np.ndarray]:
    """Smooth random shapes, some of them cut off by the edge of the image."""

    def make(seed: int, shape: Sequence[int] = (24, 20, 16), share: float = 0.25) -> np.ndarray:
        noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2.5)
        return noise > np.quantile(noise, 1 - share)

    return make


@pytest.fixture
def cube() -> Callable[..., np.ndarray]:
    """A box of ones from `start` to `stop` in a volume of zeros."""

    def make(
        start: Sequence[int], stop: Sequence[int], shape: Sequence[int] = (10, 10, 10)
    ) -> np.ndarray:
        mask = np.zeros(shape, dtype=bool)
        mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
        return mask

    return make
