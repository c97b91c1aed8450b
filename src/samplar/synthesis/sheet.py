"""Reading a few images in one go: their backdrops and cut-outs side by side in flat planes.

A cut-out is read from its exemplar and from nothing that is pasted before it, so all that the
images of a sheet need is read by the same few tensor operations, before the first paste.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from samplar.synthesis.draw import Draw, Move
from samplar.synthesis.organs import Organ, together
from samplar.synthesis.paste import Canvas, CutOut, landing
from samplar.synthesis.resample import mirrored, read_points
from samplar.synthesis.shape import Planes, Window, trace
from samplar.synthesis.stock import Stock

STEP = 64
"""Pieces start at multiples of this: whole vectors of any processor, so that each pixel is worked
on in the same way, to the bit, wherever on a sheet it lies."""


@dataclass(frozen=True)
class Piece:
    """A (h, w) part of a sheet, all read from one layer."""

    first: int
    height: int
    width: int
    layer: int

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    @property
    def reserved(self) -> slice:
        """Index of this piece in a flat plane, with what is left free after it."""
        return slice(self.first, self.first + -(-self.size // STEP) * STEP)

    def of(self, plane: Tensor) -> Tensor:
        """Return the (..., h, w) piece of a (..., n) plane, as a view."""
        part = plane.narrow(-1, self.first, self.size)
        return part.unflatten(-1, (self.height, self.width))


@dataclass
class Sheet:
    """Hands out pieces."""

    pieces: list[Piece] = field(default_factory=list)
    size: int = 0

    def piece(self, height: int, width: int, layer: int) -> Piece:
        """Return the next free piece."""
        piece = Piece(self.size, height, width, layer)
        self.pieces.append(piece)
        self.size = piece.reserved.stop
        return piece


@dataclass(frozen=True)
class Cut:
    """One move whose organs reach the canvas, and where on the sheet they are read."""

    move: Move
    organ: Organ
    window: Window
    piece: Piece


@dataclass(frozen=True)
class Order:
    """One image on a sheet: where its scene, its backdrop's image and its cut-outs are read."""

    draw: Draw
    scene: Piece
    backdrop: Piece
    cuts: list[Cut]


def order(draw: Draw, stock: Stock, sheet: Sheet) -> Order:
    """Reserve what one image needs; every exemplar of the draw must exist."""
    count, side = len(stock.organs), stock.side
    cleaned = draw.background in {"own", "cross_clean"}
    layer = draw.scene + count * cleaned
    scene = sheet.piece(side, side, layer)
    backdrop = scene if draw.border == "zeros" else sheet.piece(side, side, layer)
    cuts = [_cut(move, draw, stock, sheet) for move in draw.moves]
    return Order(draw, scene, backdrop, [cut for cut in cuts if cut is not None])


def _cut(move: Move, draw: Draw, stock: Stock, sheet: Sheet) -> Cut | None:
    here = stock.organs[draw.exemplar]
    parts = [here[k] for k in move.classes if k in here]
    if not parts:
        return None
    organ = together(parts)
    window = landing(organ.window, move, draw.warp, blur=draw.mask_blur, side=stock.side)
    if window.empty:
        return None
    height, width = window.bottom - window.top, window.right - window.left
    return Cut(move, organ, window, sheet.piece(height, width, draw.exemplar))


def aim(planes: Planes, wanted: Order, stock: Stock) -> None:
    """Write where each pixel of one image is to be read; all maps are composed into that."""
    side, draw = stock.side, wanted.draw
    rows, columns = (wanted.scene.of(plane) for plane in planes)
    whole = Window(0, 0, side, side)
    trace((rows, columns), draw.warp, side=side, window=whole, start=stock.grid)
    for cut in wanted.cuts:
        down, across = cut.window.crop
        start = rows[down, across], columns[down, across]
        part = cut.piece.of(planes[0]), cut.piece.of(planes[1])
        trace(part, cut.move.warp, side=side, window=cut.window, start=start)
    if wanted.backdrop is not wanted.scene:
        for plane, scene in zip(planes, (rows, columns), strict=True):
            wanted.backdrop.of(plane).copy_(mirrored(scene, side=side))


def read(orders: Sequence[Order], sheet: Sheet, stock: Stock) -> list[tuple[Canvas, list[CutOut]]]:
    """Return the backdrop of each image, ready to be pasted on, and its cut-outs in order."""
    layers = stock.layers
    rows, columns = planes = torch.empty(2, sheet.size, device=layers.image.device)
    for piece in sheet.pieces:
        planes[:, piece.first + piece.size : piece.reserved.stop] = 0
    for wanted in orders:
        aim((rows, columns), wanted, stock)
    parts = [(piece.reserved, piece.layer) for piece in sheet.pieces]
    image, codes = read_points(layers, rows, columns, parts)
    valid = codes.bitwise_right_shift(8).bitwise_xor_(1)
    inside = valid.float()
    return [
        (
            Canvas(
                wanted.backdrop.of(image),
                wanted.scene.of(codes),
                wanted.scene.of(valid),
                wanted.scene.of(inside),
            ),
            [
                CutOut(
                    cut.piece.of(image), cut.piece.of(codes), cut.window, cut.organ.area, cut.move
                )
                for cut in wanted.cuts
            ],
        )
        for wanted in orders
    ]
