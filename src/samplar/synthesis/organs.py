"""Where the organs of an exemplar are: what a draw and a paste need to know of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from samplar.synthesis.draw import Pair
from samplar.synthesis.shape import Window, hull
from samplar.types import IGNORE


@dataclass(frozen=True)
class Organ:
    """The pixels of one class, or of several together: their number, centroid and bounding box."""

    area: int
    centre: Pair
    window: Window


def find_organs(labels: Tensor, valid: Tensor) -> dict[int, Organ]:
    """Return the organs of (s, s) labels by class index, largest first, ties by class."""
    seen = labels.where(valid, labels.new_zeros(()))
    present = [int(k) for k in seen.unique() if int(k) not in {0, IGNORE}]
    organs = {index: _measure(seen == index) for index in present}
    return dict(sorted(organs.items(), key=lambda item: (-item[1].area, item[0])))


def _measure(mask: Tensor) -> Organ:
    rows, columns = mask.nonzero(as_tuple=True)
    window = Window(
        int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1
    )
    centre = (float(rows.double().mean()), float(columns.double().mean()))
    return Organ(len(rows), centre, window)


def together(organs: Iterable[Organ]) -> Organ:
    """Return one or more organs as one."""
    parts = list(organs)
    area = sum(part.area for part in parts)
    row, column = (sum(p.centre[axis] * p.area for p in parts) / area for axis in (0, 1))
    return Organ(area, (row, column), hull(part.window for part in parts))
