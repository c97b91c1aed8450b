"""A simulated user: points at a structure or boxes it, then corrects what the model made of it.

Source: Cheng et al. 2023 (SAM-Med2D), arXiv 2308.16184, section 3.3, and the public code
(Apache-2.0). Every draw is made on the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Generator, Tensor

from samplar.methods.asking import shown_classes
from samplar.methods.oracle_prompts import box_of
from samplar.sam.prompt import Prompts
from samplar.types import IGNORE

COUNTS = (1, 3, 5, 9)
"""How many points a correction has: one of these."""
FARTHEST = 5
"""Pixels that a box is moved at most, and at most half its shorter side."""


@dataclass(frozen=True)
class Targets:
    """What is looked for, one structure per row.

    Args:
        image: (p,) number of the image.
        truth: (p, s, s) True where the structure is; nowhere, if the image shows none.
        known: (p, s, s) False where nothing is labelled.
    """

    image: Int[Tensor, " p"]
    truth: Bool[Tensor, "p s s"]
    known: Bool[Tensor, "p s s"]

    def labels(self) -> Integer[Tensor, "p s s"]:
        """Return 1 inside, 0 outside, 255 where nothing is labelled."""
        return self.truth.long().masked_fill(~self.known, IGNORE)


def draw_targets(
    labels: Integer[Tensor, "b s s"], classes: int, *, count: int, chance: Generator
) -> Targets:
    """Draw `count` structures of every image that shows any, with replacement.

    If no image of the batch does, each is asked once about nothing.
    """
    shown = shown_classes(labels, classes)
    known = labels != IGNORE
    if len(shown.image) == 0:
        return Targets(torch.arange(len(labels), device=labels.device), known & False, known)
    rows = []
    for number in shown.image.unique().tolist():
        own = torch.nonzero(shown.image == number)[:, 0].cpu()
        rows.append(own[torch.randint(len(own), (count,), generator=chance)])
    chosen = torch.cat(rows).to(labels.device)
    image = shown.image[chosen]
    return Targets(image, shown.truth[chosen], known[image])


def first_prompts(targets: Targets, chance: Generator) -> Prompts:
    """Return a box for every row or a point in every row, as one draw says; points at nothing."""
    boxed = bool(torch.rand((), generator=chance) < 0.5)
    if boxed and bool(targets.truth.flatten(1).any(dim=1).all()):
        return Prompts(boxes=moved_boxes(targets.truth, chance))
    there = targets.truth.flatten(1).any(dim=1)[:, None, None]
    region = torch.where(there, targets.truth, targets.known)
    return _drawn(region, targets.truth, count=1, chance=chance)


def moved_boxes(truth: Bool[Tensor, "p s s"], chance: Generator) -> Float[Tensor, "p 4"]:
    """Return the box of each structure, moved as it is: its size stays."""
    boxes = torch.stack([box_of(mask) for mask in truth])
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    reach = (sides.amin(dim=1) / 2).floor().clamp(max=FARTHEST)[:, None].cpu()
    shift = torch.rand(len(boxes), 2, generator=chance) * (2 * reach + 1) - reach - 0.5
    return boxes + shift.round().to(boxes).repeat(1, 2)


def correcting_points(
    found: Bool[Tensor, "p s s"], targets: Targets, *, chance: Generator
) -> Prompts:
    """Point at what is wrong: with label 1 at what was missed, with 0 at what is too much.

    Every row has the same number of points, one of `COUNTS`. Where nothing is wrong they are
    "not a point".
    """
    count = COUNTS[int(torch.randint(len(COUNTS), (), generator=chance))]
    wrong = (found != targets.truth) & targets.known
    return _drawn(wrong, targets.truth, count=count, chance=chance)


def _drawn(
    region: Bool[Tensor, "p s s"], truth: Bool[Tensor, "p s s"], *, count: int, chance: Generator
) -> Prompts:
    """Draw pixels of each row's region, each equally likely, labelled by whether they are true."""
    draws = torch.rand(len(region), count, generator=chance, dtype=torch.float64)
    points = torch.zeros(len(region), count, 2)
    labels = torch.full((len(region), count), -1)
    for row, (place, true) in enumerate(zip(region.cpu(), truth.cpu(), strict=True)):
        pixels = torch.nonzero(place)
        if len(pixels):
            chosen = pixels[(draws[row] * len(pixels)).long()]
            points[row] = chosen.flip(-1).float()
            labels[row] = true[chosen[:, 0], chosen[:, 1]].long()
    return Prompts(points=points.to(truth.device), labels=labels.to(truth.device))
