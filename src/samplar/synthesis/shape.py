"""Geometry: from the pixels of a synthetic image back to the exemplar they come from.

Everything that moves a layer is composed into one pair of coordinate planes, so that no pixel is
resampled twice. The arithmetic is exact for the identity and for whole-pixel shifts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from samplar.synthesis.draw import Affine, Elastic, Pair, Warp

Planes = tuple[Tensor, Tensor]
"""Rows and columns, in pixels, of the same points."""


@dataclass(frozen=True)
class PlaneMap:
    """An affine map of the plane: (row, column) -> (a row + b column + c, d row + e column + f)."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    def point(self, row: float, column: float) -> Pair:
        """Map one point."""
        return self.a * row + self.b * column + self.c, self.d * row + self.e * column + self.f

    def onto(self, planes: Planes, rows: Tensor, columns: Tensor) -> None:
        """Map many points into two (h, w) planes; the two tensors must broadcast to that."""
        torch.add(rows * self.a + self.c, columns, alpha=self.b, out=planes[0])
        torch.add(rows * self.d + self.f, columns, alpha=self.e, out=planes[1])

    def inverse(self) -> PlaneMap:
        """Return the map back. Scales are exponentials, so there always is one."""
        det = self.a * self.e - self.b * self.d
        a, b, d, e = self.e / det, -self.b / det, -self.d / det, self.a / det
        return PlaneMap(a, b, -(a * self.c + b * self.f), d, e, -(d * self.c + e * self.f))


def plane_map(affine: Affine) -> PlaneMap:
    """Return the forward map of a recorded affine: source pixel to synthetic pixel."""
    angle, size = math.radians(affine.rotation), math.exp(affine.log_scale)
    cos, sin, slope = math.cos(angle), math.sin(angle), math.tan(math.radians(affine.shear))
    mirror = -1.0 if affine.flip else 1.0
    # rotation (clockwise with rows pointing down) . shear along the columns . mirror, times size
    a, b = size * (cos + sin * slope), size * sin * mirror
    d, e = size * (cos * slope - sin), size * cos * mirror
    row, column = affine.centre
    return PlaneMap(
        a, b, affine.shift[0] + (row - (a * row + b * column)),
        d, e, affine.shift[1] + (column - (d * row + e * column)),
    )  # fmt: skip


@dataclass(frozen=True)
class Window:
    """A half-open rectangle of whole pixels."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def empty(self) -> bool:
        """True when there is no pixel in it."""
        return self.bottom <= self.top or self.right <= self.left

    @property
    def longer_side(self) -> int:
        """Height or width, whichever is larger."""
        return max(self.bottom - self.top, self.right - self.left)

    @property
    def crop(self) -> tuple[slice, slice]:
        """Index of this window in a plane."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def moved(self, through: PlaneMap, *, margin: float) -> Window:
        """Return the smallest window around this one, grown by `margin` pixels and then mapped."""
        rows = (self.top - margin, self.bottom - 1 + margin)
        columns = (self.left - margin, self.right - 1 + margin)
        points = [through.point(row, column) for row in rows for column in columns]
        down, across = [p[0] for p in points], [p[1] for p in points]
        return Window(
            math.floor(min(down)), math.floor(min(across)),
            math.ceil(max(down)) + 1, math.ceil(max(across)) + 1,
        )  # fmt: skip

    def grown(self, margin: float, *, side: int) -> Window:
        """Return this window grown on all four sides and cut at the canvas."""
        by = math.ceil(margin)
        return Window(
            max(self.top - by, 0), max(self.left - by, 0),
            min(self.bottom + by, side), min(self.right + by, side),
        )  # fmt: skip


def hull(windows: Iterable[Window]) -> Window:
    """Return the smallest window around one or more windows."""
    corners = [(w.top, w.left, w.bottom, w.right) for w in windows]
    tops, lefts, bottoms, rights = zip(*corners, strict=True)
    return Window(min(tops), min(lefts), max(bottoms), max(rights))


@lru_cache(maxsize=16)
def _splines(side: int, cells: int) -> Tensor:
    """Return the (side, cells + 3) values of the uniform cubic B-splines at every pixel."""
    at = torch.arange(side, dtype=torch.float64) * cells / max(side - 1, 1)
    cell = at.floor().clamp(max=cells - 1)
    u = at - cell
    weights = torch.stack(
        [(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3], dim=1
    )
    columns = cell.long()[:, None] + torch.arange(4)
    return (
        torch.zeros(side, cells + 3, dtype=torch.float64).scatter_(1, columns, weights / 6).float()
    )


def trace(planes: Planes, warp: Warp, *, side: int, window: Window, start: Planes) -> None:
    """Take synthetic coordinates back through a warp.

    Args:
        planes: two (h, w) planes to write: where in the layer's own pixels each pixel lies.
        warp: what moved the layer.
        side: of the canvas.
        window: the part of the canvas that is asked for.
        start: (row, column) planes to begin from, broadcastable to the window.
    """
    plane_map(warp.affine).inverse().onto(planes, *start)
    if warp.elastic is not None:
        displace(planes, warp.elastic, side=side, window=window)


def displace(planes: Planes, elastic: Elastic, *, side: int, window: Window) -> None:
    """Add an elastic field, on a window of the canvas, to two (h, w) planes: down and right.

    The control points are drawn evenly from [-amplitude, amplitude]; as B-splines are averages of
    them, no pixel moves further than the amplitude.
    """
    points = elastic.cells + 3
    seeded = torch.Generator().manual_seed(elastic.seed)
    control = (torch.rand(2, points, points, generator=seeded) * 2 - 1) * elastic.amplitude
    basis, device = _splines(side, elastic.cells), planes[0].device
    rows, columns = window.crop
    down, across = basis[rows].to(device), (control @ basis[columns].T).to(device)
    for plane, weights in zip(planes, across, strict=True):
        plane.addmm_(down, weights)


def bend_of(warp: Warp) -> float:
    """Return the most that the elastic part of a warp can move a pixel."""
    return 0.0 if warp.elastic is None else warp.elastic.amplitude
