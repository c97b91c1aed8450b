"""Reading exemplars at fractional pixels: bilinear images, voted labels.

Our own few lines instead of `grid_sample`, because pixel coordinates make the identity and
whole-pixel shifts exact to the bit, and because image and labels share the work.
Each plane carries a frame of "outside" pixels, so that no access needs a check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

OUTSIDE = 256
"""Bit that marks the label code of a pixel that is not valid. Labels themselves stay below it."""

MIXED = 512
"""Bit that marks a cell, that is four neighbours, whose codes are not all the same."""

MANY = 1024
"""Bit that marks a mixed cell with more than two different codes."""


Part = tuple[slice, int]
"""A span of points and the layer that they are read from."""


@dataclass(frozen=True)
class Layers:
    """Exemplars and backgrounds, one after the other, ready to be read at any coordinates.

    Args:
        image: (c, n (s + 3)^2) float32, each framed by zeros.
        codes: (n (s + 3)^2,) int16: the label, plus `OUTSIDE` where not valid; each framed by
            `OUTSIDE`.
        cells: the same shape and type: the code of the upper left pixel of each cell, plus `MIXED`
            and `MANY` where they apply.
        side: s.
    """

    image: Tensor
    codes: Tensor
    cells: Tensor
    side: int

    @property
    def area(self) -> int:
        """Length of one layer, from which layer n starts at n times this."""
        return (self.side + 3) ** 2


def make_layers(images: Tensor, labels: Tensor, valid: Tensor) -> Layers:
    """Frame n (c, s, s) images, (s, s) labels and validity: one pixel before, two after."""
    codes = labels.to(torch.int16) + (~valid).to(torch.int16) * OUTSIDE
    frame = (1, 2, 1, 2)
    framed = pad(codes, frame, value=OUTSIDE)
    return Layers(
        pad(images, frame).transpose(0, 1).flatten(1).contiguous(),
        framed.flatten(),
        _cells(framed).flatten(),
        images.shape[-1],
    )


def _cells(codes: Tensor) -> Tensor:
    """Return each code with the marks of the cell that it is the upper left pixel of."""
    wide = pad(codes, (0, 1, 0, 1), value=OUTSIDE)
    upper, lower = wide[:, :-1], wide[:, 1:]
    four = torch.stack([upper[..., :-1], upper[..., 1:], lower[..., :-1], lower[..., 1:]])
    low, high = four.amin(dim=0), four.amax(dim=0)
    many = ((four != low) & (four != high)).any(dim=0)
    return codes + (low != high).to(torch.int16) * MIXED + many.to(torch.int16) * MANY


@dataclass(frozen=True)
class Spots:
    """Where to read: the four neighbours of each wanted point and how far it lies between them.

    Args:
        index: (n,) int32, place of the upper left neighbour in a framed plane.
        below, beside: (n,) in [0, 1), distance from the upper and from the left neighbour.
        pitch: length of a framed row.
    """

    index: Tensor
    below: Tensor
    beside: Tensor
    pitch: int

    def neighbours(self, plane: Tensor) -> list[Tensor]:
        """Return a flat framed plane at the four neighbours: (n,) each, row by row."""
        steps = (0, 1, self.pitch, self.pitch + 1)
        return [plane[step:].index_select(0, self.index) for step in steps]

    def only(self, where: Tensor) -> Spots:
        """Return some of the points, by their place among all of them."""
        return Spots(
            self.index.index_select(0, where),
            self.below.index_select(0, where),
            self.beside.index_select(0, where),
            self.pitch,
        )


def read_points(
    layers: Layers, rows: Tensor, columns: Tensor, parts: Sequence[Part]
) -> tuple[Tensor, Tensor]:
    """Read images and label codes at any points.

    Args:
        layers: what is read.
        rows: (n,) float32 coordinates, used up.
        columns: the same.
        parts: which layer each span of the points is read from.

    Returns:
        The (c, n) bilinear image, and the (n,) int16 codes by a vote of the four neighbours.
    """
    at = spots(rows, columns, side=layers.side)
    for span, layer in parts:
        if layer:
            at.index[span].add_(layer * layers.area)
    channels = [blended(plane, at) for plane in layers.image]
    image = channels[0][None] if len(channels) == 1 else torch.stack(channels)
    return image, read_codes(layers, at)


def spots(rows: Tensor, columns: Tensor, *, side: int) -> Spots:
    """Turn (n,) coordinates into reading spots; all that is far outside falls on the frame.

    The coordinates are used up: they become the distances.
    """
    rows, columns = rows.clamp_(-1, side), columns.clamp_(-1, side)
    top, left = rows.floor(), columns.floor()
    below, beside = rows.sub_(top), columns.sub_(left)
    pitch = side + 3
    index = left.add_(top, alpha=pitch).add_(pitch + 1).to(torch.int32)
    return Spots(index, below, beside, pitch)


def mirrored(coordinate: Tensor, *, side: int) -> Tensor:
    """Fold coordinates beyond the canvas back in, about the outermost pixel centres."""
    last = max(side - 1, 1)
    return last - (coordinate.remainder(2 * last) - last).abs()


def blended(plane: Tensor, at: Spots) -> Tensor:
    """Return the (n,) bilinear reading of one flat plane; exact where a weight is zero."""
    # reading a plane that begins later is cheaper than adding to every index
    upper = plane.index_select(0, at.index)
    upper.lerp_(plane[1:].index_select(0, at.index), at.beside)
    lower = plane[at.pitch :].index_select(0, at.index)
    lower.lerp_(plane[at.pitch + 1 :].index_select(0, at.index), at.beside)
    return upper.lerp_(lower, at.below)


def read_codes(layers: Layers, at: Spots) -> Tensor:
    """Return the (n,) int16 label codes, by a vote of the four neighbours.

    Each neighbour votes for its own label with its bilinear weight and the heaviest label wins.
    That is the class whose own bilinear mask is largest: label numbers are never averaged, so no
    class can appear that is not among the neighbours. Where two weigh the same, the upper left one
    wins if it is among them.

    The cells tell where the four agree; only the others, a few in a hundred, vote.
    """
    cells = layers.cells.index_select(0, at.index)
    where = positions(cells, MIXED)
    mixed = at.only(where)
    won = duel(mixed.neighbours(layers.codes), mixed)
    many = positions(cells.index_select(0, where), MANY)
    if len(many):
        crowded = mixed.only(many)
        won.index_copy_(0, many, vote(crowded.neighbours(layers.codes), crowded))
    return cells.index_copy_(0, where, won)


def duel(four: list[Tensor], at: Spots) -> Tensor:
    """Return the (n,) winners of cells that hold two codes: half the weight is enough.

    One rounding per step, so that the outcome cannot depend on a pixel's place in the batch.
    """
    first, *others = four
    beside, below, lower = (plane.eq(first).float() for plane in others)
    upper = (beside - 1).mul_(at.beside).add_(1)
    lower = lower.sub_(below).mul_(at.beside).add_(below)
    share = lower.sub_(upper).mul_(at.below).add_(upper)
    low, high = (reduce(pick, four) for pick in (torch.minimum, torch.maximum))
    return torch.where(share >= 0.5, first, low + high - first)


def vote(four: list[Tensor], at: Spots) -> Tensor:
    """Return the (n,) winners of cells that hold any codes."""
    candidates = torch.stack(four)
    below, beside = at.below, at.beside
    weights = torch.stack(
        [(1 - below) * (1 - beside), (1 - below) * beside, below * (1 - beside), below * beside]
    )
    agree = candidates[:, None] == candidates[None]
    votes = (agree * weights[None]).sum(dim=1)
    return candidates.gather(0, votes.max(dim=0, keepdim=True).indices).squeeze(0)


def positions(codes: Tensor, bit: int) -> Tensor:
    """Return the (n,) int64 places in flat codes that carry a bit or a higher one."""
    if codes.device.type == "cpu":  # NumPy compares and finds several times faster than torch
        return torch.from_numpy(np.flatnonzero(codes.numpy() >= bit))
    return (codes >= bit).nonzero().squeeze(1)
