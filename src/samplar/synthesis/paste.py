"""Cutting organs out of an exemplar and pasting them onto a canvas."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from samplar.synthesis.appearance import apply_tone, blurred
from samplar.synthesis.draw import Move, Warp
from samplar.synthesis.resample import OUTSIDE
from samplar.synthesis.shape import Window, bend_of, plane_map


@dataclass(frozen=True)
class Canvas:
    """An image being made; pasting writes into its image and codes.

    Masks are numbers, 0 or 1, as in all of the rendering: torch works several times faster on
    numbers than on booleans.

    Args:
        image: (c, s, s) float32.
        codes: (s, s) int16 label codes, `OUTSIDE` added where not valid.
        valid: (s, s) int16, 1 where valid, else 0; pasting never changes that.
        inside: the same as float32.
    """

    image: Tensor
    codes: Tensor
    valid: Tensor
    inside: Tensor


@dataclass(frozen=True)
class CutOut:
    """Organs that are moved and read already; pasting uses them up.

    Args:
        image: (c, h, w) float32.
        codes: (h, w) int16.
        window: where on the canvas.
        area: pixels that the organs had in the exemplar.
        move: which classes they are, and how their intensity changes.
    """

    image: Tensor
    codes: Tensor
    window: Window
    area: int
    move: Move


def paste(canvas: Canvas, cut: CutOut, *, blur: float, smallest_visible: float) -> None:
    """Paste one cut-out, unless too little of it would be seen.

    The image is blended with the blurred mask, `s * organ + (1 - s) * background`; the labels
    change where the sharp mask is. Nothing is pasted on pixels that are not valid.

    Args:
        canvas: written in place.
        cut: what is pasted.
        blur: sigma of the soft paste, pixels.
        smallest_visible: share of the area below which nothing is pasted.
    """
    rows, columns = cut.window.crop
    free = canvas.inside[rows, columns]
    mask = _members(cut.codes, cut.move.classes)
    landed = mask * free
    if float(landed.sum()) < max(1.0, smallest_visible * cut.area):
        return
    toned = apply_tone(cut.image, cut.move.tone)
    share = _softened(mask, blur).mul_(free)
    canvas.image[:, rows, columns].lerp_(toned, share)
    target = canvas.codes[rows, columns]
    target.add_(cut.codes.sub_(target).mul_(landed.to(torch.int16)))


def landing(window: Window, move: Move, scene: Warp, *, blur: float, side: int) -> Window:
    """Return the part of the canvas that a cut-out can reach."""
    # a field moves the place that is read, so the box is widened before the map that follows it
    moved = window.moved(plane_map(move.warp.affine), margin=1 + bend_of(move.warp))
    moved = moved.moved(plane_map(scene.affine), margin=1 + bend_of(scene))
    return moved.grown(math.ceil(3 * blur), side=side)


def _members(codes: Tensor, classes: tuple[int, ...]) -> Tensor:
    """Return 1 where a valid code is one of the classes, else 0; (h, w) float32."""
    table = _table(classes).to(codes.device)
    return table.index_select(0, codes.view(-1).to(torch.int32)).view(codes.shape)


@lru_cache(maxsize=256)
def _table(classes: tuple[int, ...]) -> Tensor:
    table = torch.zeros(2 * OUTSIDE)
    table[list(classes)] = 1
    return table


def _softened(mask: Tensor, sigma: float) -> Tensor:
    if sigma == 0:
        return mask
    # the weights of the blur add up to one only within rounding; the inside of an organ is exact
    return blurred(mask[None], sigma)[0].mul_(1 + 1e-5).clamp_(max=1)
