"""Whether probabilities mean what they say: reliability, calibration error, and one temperature.

Pixels are binned by the probability of the class they were given (the top label). In a bin, the
mean of those probabilities should be the share of pixels that are right. The expected calibration
error is the mean of the gap between the two, weighted by pixels: 15 bins of equal width, as Guo et
al. 2017 (arXiv 1706.04599, section 2) define it and temperature scaling (section 4.2) with it.

Far background is easy and there is much of it, so that an error over all pixels is always small.
The one to look at is that of the region: pixels near foreground, predicted or true.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy.ndimage import binary_dilation, generate_binary_structure

from samplar.config.base import Strict
from samplar.types import IGNORE

BINS = 15
NEAR = 0.02
"""How far from foreground the region reaches, as a share of the longer side of the slice."""

COLDEST, HOTTEST = 0.05, 20.0
"""Bounds of the temperature: beyond them pixels say that something else is wrong."""


class Reliability(Strict):
    """Sums over pixels in bins of confidence; two of them add up.

    Args:
        pixels: how many pixels are in each bin.
        confidence: the sum of their top probabilities.
        correct: how many of them have the right class.
    """

    pixels: tuple[int, ...] = (0,) * BINS
    confidence: tuple[float, ...] = (0.0,) * BINS
    correct: tuple[int, ...] = (0,) * BINS

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(
            pixels=tuple(a + b for a, b in zip(self.pixels, other.pixels, strict=True)),
            confidence=tuple(a + b for a, b in zip(self.confidence, other.confidence, strict=True)),
            correct=tuple(a + b for a, b in zip(self.correct, other.correct, strict=True)),
        )

    @property
    def ece(self) -> float | None:
        """The expected calibration error, 0..1; None without pixels."""
        count = sum(self.pixels)
        if count == 0:
            return None
        gaps = zip(self.correct, self.confidence, strict=True)
        return sum(abs(right - sure) for right, sure in gaps) / count

    def points(self) -> list[tuple[float, float, int]]:
        """Return mean confidence, accuracy and pixels of every bin that has some."""
        bins = zip(self.confidence, self.correct, self.pixels, strict=True)
        return [(sure / n, right / n, n) for sure, right, n in bins if n]


def reliability(
    probabilities: Float[np.ndarray, "k n h w"],
    truth: Integer[np.ndarray, "n h w"],
    *,
    region: Bool[np.ndarray, "n h w"] | None = None,
) -> Reliability:
    """Sort pixels into bins of confidence.

    Args:
        probabilities: of every class, background first.
        truth: class indices; pixels that are IGNORE do not count.
        region: only these pixels count; None means all.
    """
    counted = truth != IGNORE if region is None else (truth != IGNORE) & region
    chosen = probabilities[:, counted]
    top = chosen.max(axis=0).astype(np.float64)
    right = chosen.argmax(axis=0) == truth[counted]
    bins = np.clip(np.ceil(top * BINS).astype(int) - 1, 0, BINS - 1)
    return Reliability(
        pixels=tuple(np.bincount(bins, minlength=BINS).tolist()),
        confidence=tuple(np.bincount(bins, weights=top, minlength=BINS).tolist()),
        correct=tuple(np.bincount(bins[right], minlength=BINS).tolist()),
    )


def near_foreground(
    prediction: Integer[np.ndarray, "n h w"], truth: Integer[np.ndarray, "n h w"]
) -> Bool[np.ndarray, "n h w"]:
    """Return the pixels at most a fiftieth of the longer side away from foreground, in their slice.

    Steps go to the four neighbours. Foreground is what either of the two label maps has; a slice
    without any has no region.
    """
    foreground = (prediction > 0) | ((truth > 0) & (truth != IGNORE))
    reach = reach_of(truth.shape[-2], truth.shape[-1])
    cross = generate_binary_structure(rank=2, connectivity=1)
    return binary_dilation(foreground, cross[np.newaxis], iterations=reach)


def reach_of(height: int, width: int) -> int:
    """Return how many pixels of a slice of this size are near: a fiftieth of the longer side."""
    return max(1, round(NEAR * max(height, width)))


def fit_temperature(logits: Float[np.ndarray, "n k"], truth: Integer[np.ndarray, " n"]) -> float:
    """Return the temperature T that makes softmax(logits / T) the likeliest to give the truth.

    The negative log-likelihood has one minimum over 1 / T (it is convex there), so a bounded
    search finds it.

    Args:
        logits: of pixels that the model was not trained on.
        truth: their classes, all known.
    """
    from scipy.optimize import minimize_scalar  # late: only a fit needs it

    exact = logits.astype(np.float64)
    exact -= exact.max(axis=1, keepdims=True)
    own = exact[np.arange(len(exact)), truth]

    def nll(log_temperature: float) -> float:
        sharpness = math.exp(-log_temperature)
        return float(np.mean(np.log(np.exp(sharpness * exact).sum(axis=1)) - sharpness * own))

    bounds = math.log(COLDEST), math.log(HOTTEST)
    return math.exp(minimize_scalar(nll, bounds=bounds, method="bounded").x)
