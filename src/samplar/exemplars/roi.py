"""The region of interest: how large a window the exemplars suggest, and where they expect it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from pydantic import Field

from samplar.config.base import Strict
from samplar.exemplars.exemplar import Exemplar, ExemplarSet
from samplar.exemplars.window import window_at
from samplar.types import IGNORE

LARGEST = 0.75
"""Share of the longer side of an image above which a window shows hardly more than the image."""

ENLARGED = 0.5
"""The same where the frame shows every pixel of the image already: a window enlarges them then, and
has to do so by much."""

USUAL_SPREAD = 0.2
"""How far structures lie from their usual place, in shares of the height and the width, as long as
few exemplars are known; it counts as much as that of `USUAL_COUNT` exemplars."""

USUAL_COUNT = 2

Pair = tuple[float, float]


class Region(Strict):
    """A window of one size for all images, and where the exemplars expect it.

    Args:
        share: side of the window, as a share of the longer side of an image.
        centre: row and column where structures are usually in the middle of, as shares of the
            height and the width.
        spread: standard deviation of that, in the same shares.
    """

    share: float = Field(gt=0, le=1)
    centre: Pair
    spread: Pair

    def expected_by(self, exemplars: Sequence[Exemplar]) -> Region:
        """Return the same window, expected where these exemplars have it."""
        centre, spread = usual_place(exemplars)
        return Region(share=self.share, centre=centre, spread=spread)

    def expectation(self, shape: tuple[int, int]) -> Float[np.ndarray, "h w"]:
        """Return how much evidence at a pixel counts: 1 at the usual place, less farther away.

        It falls slowly (as Student's t does), so that much evidence far away still wins.
        """
        rows, columns = (
            ((np.arange(n) + 0.5) / n - centre) ** 2 / spread**2
            for n, centre, spread in zip(shape, self.centre, self.spread, strict=True)
        )
        return 1 / (1 + rows[:, None] + columns)


def region_of(exemplars: ExemplarSet, margin: float, *, size: int) -> Region | None:
    """Return a window into which the structures of every exemplar fit, with a margin on each side.

    None where they fill so much of an image that a window would show no more.

    Args:
        exemplars: those without structures do not count.
        margin: as a share of the largest extent.
        size: side of the model's frame.
    """
    extents = [_extent(box, e.labels.shape) for e in exemplars.exemplars if (box := _box(e.labels))]
    share = max(extents, default=1.0) * (1 + 2 * margin)
    if share > (LARGEST if longer_than(exemplars, size) else ENLARGED):
        return None
    centre, spread = usual_place(exemplars.exemplars)
    return Region(share=share, centre=centre, spread=spread)


def longer_than(exemplars: ExemplarSet, size: int) -> bool:
    """Return whether a side of any exemplar has more pixels than a frame of this size."""
    return any(max(exemplar.labels.shape) > size for exemplar in exemplars.exemplars)


def usual_place(exemplars: Sequence[Exemplar]) -> tuple[Pair, Pair]:
    """Return centre and spread of a `Region` as these exemplars have it.

    Where none shows a structure, that is the middle of the image.
    """
    boxes = [(box, e.labels.shape) for e in exemplars if (box := _box(e.labels)) is not None]
    rows, row_spread = _usual([(box[0] + box[1]) / 2 / shape[0] for box, shape in boxes])
    columns, column_spread = _usual([(box[2] + box[3]) / 2 / shape[1] for box, shape in boxes])
    return (rows, columns), (row_spread, column_spread)


def close_ups(exemplars: ExemplarSet, share: float) -> ExemplarSet:
    """Return each exemplar cut to the window around its structures, in the same order.

    One without structures is cut to its middle.
    """
    return ExemplarSet.of([_close_up(e, share) for e in exemplars.exemplars], exemplars.labels)


def _usual(values: Sequence[float]) -> Pair:
    """Return mean and standard deviation, the latter drawn towards `USUAL_SPREAD`."""
    mean = float(np.mean(values)) if values else 0.5
    squares = float(np.sum((np.asarray(values) - mean) ** 2)) + USUAL_COUNT * USUAL_SPREAD**2
    return mean, float(np.sqrt(squares / (len(values) + USUAL_COUNT)))


def _extent(box: tuple[int, int, int, int], shape: tuple[int, ...]) -> float:
    top, bottom, left, right = box
    return max(bottom - top, right - left) / max(shape)


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
