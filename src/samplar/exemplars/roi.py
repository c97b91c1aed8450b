"""The region of interest: how large a window the exemplars suggest, and where it is put."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samplar.exemplars.exemplar import Exemplar, ExemplarSet
from samplar.io.labels import IGNORE

LARGEST = 0.75
"""Share of the longer side of an image above which a window shows hardly more than the image."""

ENOUGH = 0.9
"""Share of the foreground found that a window has to hold, or a larger one is tried."""

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


def roi_share(exemplars: ExemplarSet, margin: float) -> float | None:
    """Return the side of the window as a share of the longer side of an image.

    The structures of every exemplar fit into it, with a margin on each side. None where they fill
    so much of an image that a window would show no more.
    """
    sizes = [share for exemplar in exemplars.exemplars if (share := _extent(exemplar)) is not None]
    if not sizes:
        return None
    share = max(sizes) * (1 + 2 * margin)
    return None if share > LARGEST else share


def close_ups(exemplars: ExemplarSet, share: float) -> ExemplarSet:
    """Return each exemplar cut to the window around its structures, in the same order.

    One without structures is cut to its middle.
    """
    return ExemplarSet.of([_close_up(e, share) for e in exemplars.exemplars], exemplars.labels)


def window_around(found: np.ndarray, share: float) -> Window:
    """Return the window that holds most of what was found, or a larger one if that is not enough.

    Stray pixels far from the rest are left outside.

    Args:
        found: (h, w) how often a pixel was foreground, at least once somewhere.
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


def _extent(exemplar: Exemplar) -> float | None:
    """Return how much of the longer side the structures of an exemplar span together."""
    box = _box(exemplar.labels)
    if box is None:
        return None
    top, bottom, left, right = box
    return max(bottom - top, right - left) / max(exemplar.labels.shape)


def _box(labels: np.ndarray) -> tuple[int, int, int, int] | None:
    shown = (labels > 0) & (labels != IGNORE)
    if not shown.any():
        return None
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _close_up(exemplar: Exemplar, share: float) -> Exemplar:
    height, width = exemplar.labels.shape
    top, bottom, left, right = _box(exemplar.labels) or (0, height, 0, width)
    centre = ((top + bottom) / 2, (left + right) / 2)
    window = window_at(centre, share * max(height, width), (height, width))
    beside = exemplar.beside
    return Exemplar.of(
        case=exemplar.case,
        subject=exemplar.subject,
        number=exemplar.slice,
        image=np.ascontiguousarray(window.of(exemplar.image)),
        labels=np.ascontiguousarray(window.of(exemplar.labels)),
        beside=None if beside is None else np.ascontiguousarray(window.of(beside)),
    )


def _fullest(found: np.ndarray, side: float) -> Window:
    """Return the first of the windows of this size that hold the most."""
    shape = (found.shape[0], found.shape[1])
    height, width = (max(1, min(round(side), length)) for length in shape)
    sums = np.pad(found.astype(np.int64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    held = (
        sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]
        + sums[:-height, :-width]
    )  # fmt: skip
    top, left = np.unravel_index(int(held.argmax()), held.shape)
    return Window(int(top), int(left), height, width)
