"""One point in each class of an image: drawn from labels, the deepest true one, or the model's own.

Points are in pixels of the model's frame, (x, y); where a class has none the prompt encoder is told
"not a point".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Generator, Tensor

from samplar.sam.prompt import Prompts

AROUND = (1, 3, 5, 9, 17)
"""Sides of the squares over which certainty is averaged, in cells. A single certain cell counts as
long as nothing is larger; of equally certain parts the one that lies deeper wins."""


@dataclass(frozen=True)
class ClassPoints:
    """Points of `k` classes in `b` images, `n` each.

    Args:
        xy: (b, k, n, 2) pixels of the frame; anything where there is no point.
        given: (b, k, n) where there is a point.
    """

    xy: Float[Tensor, "b k n 2"]
    given: Bool[Tensor, "b k n"]

    def together(self) -> Prompts:
        """Return one prompt per image: the points of all classes, in class order."""
        return Prompts(points=self.xy.flatten(1, 2), labels=_signs(self.given.flatten(1)))

    def of(self, place: int) -> Prompts:
        """Return one prompt per image: the points of the class at this place, from 0."""
        return Prompts(points=self.xy[:, place], labels=_signs(self.given[:, place]))


def _signs(given: Bool[Tensor, "b n"]) -> Integer[Tensor, "b n"]:
    return given.long() * 2 - 1  # 1: inside; -1: not a point


def no_points(images: int, classes: int, like: Tensor) -> ClassPoints:
    """Return one missing point for every class of every image."""
    xy = torch.zeros(images, classes, 1, 2, device=like.device)
    return ClassPoints(xy, torch.zeros(images, classes, 1, dtype=torch.bool, device=like.device))


def drawn_points(
    labels: Integer[Tensor, "b s s"], classes: int, *, count: int, chance: Generator
) -> ClassPoints:
    """Draw `count` pixels of every class that is there, each pixel of a class equally likely.

    The same number of draws is taken from `chance` (on the CPU) whatever the labels show.
    """
    draws = torch.rand(len(labels), classes, count, generator=chance, dtype=torch.float64)
    xy = torch.zeros(*draws.shape, 2)
    given = torch.zeros(draws.shape, dtype=torch.bool)
    for image, shown in enumerate(labels.cpu()):
        for place in range(classes):
            pixels = torch.nonzero(shown == place + 1)
            if len(pixels):
                chosen = pixels[(draws[image, place] * len(pixels)).long()]
                xy[image, place] = chosen.flip(-1).float()
                given[image, place] = True
    return ClassPoints(xy.to(labels.device), given.to(labels.device))


def true_points(labels: Integer[Tensor, "b s s"], classes: int) -> ClassPoints:
    """Return the deepest pixel of every class that is there: an oracle."""
    index = torch.arange(1, classes + 1, device=labels.device)[:, None, None]
    inside = labels[:, None] == index
    return _deepest(inside.float(), inside, scale=1.0)


def own_points(logits: Float[Tensor, "b c i j"], shown: Bool[Tensor, "b s s"]) -> ClassPoints:
    """Return where a prediction is most certain of each class that it shows.

    Args:
        logits: background first, on a grid over the whole frame.
        shown: which pixels of the frame belong to the image; nothing is pointed at elsewhere.
    """
    chances = logits.float().softmax(dim=1)
    scale = shown.shape[-1] / logits.shape[-1]
    cells = F.interpolate(shown[:, None].float(), chances.shape[-2:], mode="nearest-exact") > 0
    winner = chances.argmax(dim=1, keepdim=True)
    index = torch.arange(1, chances.shape[1], device=logits.device)[:, None, None]
    return _deepest(chances[:, 1:], (winner == index) & cells, scale=scale)


def _deepest(
    certainty: Float[Tensor, "b k i j"], inside: Bool[Tensor, "b k i j"], *, scale: float
) -> ClassPoints:
    """Find the cell inside each part around which the certainty inside it is largest."""
    held = certainty * inside
    means = [F.avg_pool2d(held, side, stride=1, padding=side // 2) for side in AROUND]
    score = torch.stack(means).sum(dim=0).masked_fill(~inside, -1)
    best = score.flatten(2).argmax(dim=2)
    width = certainty.shape[-1]
    cell = torch.stack([best % width, best // width], dim=-1).float()
    xy = (cell + 0.5) * scale - 0.5
    return ClassPoints(xy[:, :, None], inside.flatten(2).any(dim=2)[..., None])
