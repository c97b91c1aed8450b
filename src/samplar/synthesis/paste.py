"""Cutting organs out of an exemplar and pasting them onto a canvas."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from samplar.synthesis.appearance import apply_tone, blurred
from samplar.synthesis.draw import Draw, Move, Warp
from samplar.synthesis.organs import Organ
from samplar.synthesis.resample import OUTSIDE, Layer, read_codes, read_image, spots
from samplar.synthesis.shape import Window, bend_of, coordinates, plane_map


@dataclass(frozen=True)
class Canvas:
    """An image being made; pasting writes into its tensors.

    Args:
        image: (c, s, s) float32.
        codes: (s, s) int16 label codes, `OUTSIDE` added where not valid.
        scene: two (s, s) planes: where each pixel was before the finished scene was moved.
    """

    image: Tensor
    codes: Tensor
    scene: tuple[Tensor, Tensor]


def paste(canvas: Canvas, layer: Layer, organ: Organ, *, move: Move, draw: Draw) -> None:
    """Paste one cut-out, unless too little of it would be seen.

    The image is blended with the blurred mask, `s * organ + (1 - s) * background`; the labels
    change where the sharp mask is. Nothing is pasted on pixels that are not valid.

    Args:
        canvas: written in place.
        layer: the exemplar that the organ is cut from.
        organ: place and area, in that exemplar, of all classes of the move.
        move: which classes, and how they are moved and toned.
        draw: the rest of the record: motion of the scene, softness, smallest visible share.
    """
    window = landing(organ.window, move, draw.warp, blur=draw.mask_blur, side=layer.side)
    if window.empty:
        return
    start = (canvas.scene[0][window.crop], canvas.scene[1][window.crop])
    rows, columns = coordinates(move.warp, side=layer.side, window=window, start=start)
    at = spots(rows, columns, side=layer.side)
    codes = read_codes(layer, at)
    mask = torch.zeros_like(codes, dtype=torch.bool)
    for index in move.classes:
        mask |= codes == index
    free = canvas.codes[window.crop] < OUTSIDE
    landed = mask & free
    if int(landed.sum()) < max(1.0, draw.smallest_visible * organ.area):
        return
    cut_out = apply_tone(read_image(layer, at), move.tone)
    _blend(canvas.image[:, *window.crop], cut_out, _softened(mask, draw.mask_blur) * free)
    target = canvas.codes[window.crop]
    target.copy_(torch.where(landed, codes, target))


def landing(window: Window, move: Move, scene: Warp, *, blur: float, side: int) -> Window:
    """Return the part of the canvas that a cut-out can reach."""
    # a field moves the place that is read, so the box is widened before the map that follows it
    moved = window.moved(plane_map(move.warp.affine), margin=1 + bend_of(move.warp))
    moved = moved.moved(plane_map(scene.affine), margin=1 + bend_of(scene))
    return moved.grown(math.ceil(3 * blur), side=side)


def _softened(mask: Tensor, sigma: float) -> Tensor:
    soft = blurred(mask.float()[None], sigma)[0]
    # the weights of the blur add up to one only within rounding; the inside of an organ is exact
    return torch.where(soft > 1 - 1e-5, torch.ones_like(soft), soft)


def _blend(background: Tensor, organ: Tensor, share: Tensor) -> None:
    background.copy_(share * organ + (1 - share) * background)
