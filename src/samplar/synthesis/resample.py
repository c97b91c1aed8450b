"""Reading exemplars at fractional pixels: bilinear images, voted labels.

Our own few lines instead of `grid_sample`, because pixel coordinates make the identity and
whole-pixel shifts exact to the bit, and because image and labels share the work.
Each plane carries a frame of "outside" pixels, so that no access needs a check.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

OUTSIDE = 256
"""Bit that marks the label code of a pixel that is not valid. Labels themselves stay below it."""


@dataclass(frozen=True)
class Layer:
    """One exemplar, or one background, ready to be read at any coordinates.

    Args:
        image: (c, (s + 3)^2) float32, framed by zeros.
        codes: ((s + 3)^2,) int16: the label, plus `OUTSIDE` where not valid; framed by `OUTSIDE`.
        side: s.
    """

    image: Tensor
    codes: Tensor
    side: int


def make_layer(image: Tensor, labels: Tensor, valid: Tensor) -> Layer:
    """Frame (c, s, s) image, (s, s) labels and (s, s) validity: one pixel before, two after."""
    codes = labels.to(torch.int16) + (~valid).to(torch.int16) * OUTSIDE
    frame = (1, 2, 1, 2)
    return Layer(
        pad(image, frame).flatten(1).contiguous(),
        pad(codes, frame, value=OUTSIDE).flatten().contiguous(),
        image.shape[-1],
    )


@dataclass(frozen=True)
class Spots:
    """Where to read: the four neighbours of each wanted point and how far it lies between them.

    Args:
        index: (h w,) int32, place of the upper left neighbour in a framed plane.
        below, beside: (h, w) in [0, 1), distance from the upper and from the left neighbour.
        pitch: length of a framed row.
    """

    index: Tensor
    below: Tensor
    beside: Tensor
    pitch: int

    def neighbours(self, plane: Tensor) -> list[Tensor]:
        """Return a flat framed plane at the four neighbours: (h, w) each, row by row."""
        shape = self.below.shape
        steps = (0, 1, self.pitch, self.pitch + 1)
        return [plane.index_select(0, self.index + step).view(shape) for step in steps]


def spots(rows: Tensor, columns: Tensor, *, side: int) -> Spots:
    """Turn (h, w) coordinates into reading spots; all that is far outside falls on the frame."""
    rows, columns = rows.clamp(-1, side), columns.clamp(-1, side)
    top, left = rows.floor(), columns.floor()
    pitch = side + 3
    index = ((top + 1) * pitch + (left + 1)).to(torch.int32)
    return Spots(index.flatten(), rows - top, columns - left, pitch)


def mirrored(coordinate: Tensor, *, side: int) -> Tensor:
    """Fold coordinates beyond the canvas back in, about the outermost pixel centres."""
    last = max(side - 1, 1)
    return last - (coordinate.remainder(2 * last) - last).abs()


def read_image(layer: Layer, at: Spots) -> Tensor:
    """Return the (c, h, w) bilinear image."""
    return torch.stack([_blend(at.neighbours(channel), at) for channel in layer.image])


def _blend(four: list[Tensor], at: Spots) -> Tensor:
    # a + w (b - a) gives a itself, to the bit, where w is zero
    upper = four[0] + at.beside * (four[1] - four[0])
    lower = four[2] + at.beside * (four[3] - four[2])
    return upper + at.below * (lower - upper)


def read_codes(layer: Layer, at: Spots) -> Tensor:
    """Return the (h, w) int16 label codes, by a vote of the four neighbours.

    Each neighbour votes for its own label with its bilinear weight and the heaviest label wins.
    That is the class whose own bilinear mask is largest: label numbers are never averaged, so no
    class can appear that is not among the neighbours.
    """
    four = at.neighbours(layer.codes)
    won = four[0].clone()
    mixed = (four[0] != four[1]) | (four[0] != four[2]) | (four[0] != four[3])
    where = mixed.flatten().nonzero().squeeze(1)
    below, beside = at.below.flatten()[where], at.beside.flatten()[where]
    candidates = torch.stack([plane.flatten()[where] for plane in four])
    weights = torch.stack(
        [(1 - below) * (1 - beside), (1 - below) * beside, below * (1 - beside), below * beside]
    )
    agree = candidates[:, None] == candidates[None]
    votes = (agree * weights[None]).sum(dim=1)
    # max, not argmax: it finds the same place ten times faster along a short first axis
    winner = candidates.gather(0, votes.max(dim=0, keepdim=True).indices)
    won.view(-1)[where] = winner.squeeze(0)
    return won
