"""A square part of a slice, and where it is put."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ENOUGH = 0.9
"""Share of the evidence that a window has to hold, or a larger one is tried."""

GROWTH = 1.15


@dataclass(frozen=True)
class Window:
    """A part of a slice: first row and column, height and width, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, array: np.ndarray) -> np.ndarray:
        """Return this part of an array (..., h, w), as a view."""
        return array[..., self.top : self.top + self.height, self.left : self.left + self.width]


def window_at(centre: tuple[float, float], side: float, shape: tuple[int, int]) -> Window:
    """Return the square window around a point, moved inside the image and cut where it is larger.

    Args:
        centre: row and column.
        side: in pixels.
        shape: height and width of the image.
    """
    height, width = (max(1, min(round(side), length)) for length in shape)
    top = min(max(round(centre[0] - height / 2), 0), shape[0] - height)
    left = min(max(round(centre[1] - width / 2), 0), shape[1] - width)
    return Window(top, left, height, width)


def window_around(found: np.ndarray, share: float) -> Window:
    """Return the window that holds most of what was found, or a larger one if that is not enough.

    Stray pixels far from the rest are left outside.

    Args:
        found: (h, w) evidence of foreground at a pixel, 0 or more and not 0 everywhere.
        share: the side of the window, as a share of the longer side.
    """
    side, longer = share * max(found.shape), max(found.shape)
    shape = (found.shape[0], found.shape[1])
    while True:
        window = _fullest(found, side)
        held = window.of(found)
        if held.sum() >= ENOUGH * found.sum() or side >= longer:
            break
        side = min(side * GROWTH, longer)
    rows, columns = held.sum(axis=1), held.sum(axis=0)
    centre = (
        window.top + 0.5 + float(rows @ np.arange(len(rows)) / rows.sum()),
        window.left + 0.5 + float(columns @ np.arange(len(columns)) / columns.sum()),
    )
    return window_at(centre, side, shape)


def _fullest(found: np.ndarray, side: float) -> Window:
    """Return the first of the windows of this size that hold the most."""
    shape = (found.shape[0], found.shape[1])
    height, width = (max(1, min(round(side), length)) for length in shape)
    sums = np.pad(found.astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    held = (
        sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]
        + sums[:-height, :-width]
    )  # fmt: skip
    top, left = np.unravel_index(int(held.argmax()), held.shape)
    return Window(int(top), int(left), height, width)
