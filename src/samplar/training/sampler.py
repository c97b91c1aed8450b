"""Which exemplar each synthetic image starts from: classes take turns, and so do exemplars."""

from __future__ import annotations

import torch
from jaxtyping import Integer
from torch import Tensor


def balanced_indices(
    labels: Integer[Tensor, "n h w"], classes: int, count: int, generator: torch.Generator
) -> list[int]:
    """Draw `count` exemplar numbers so that rare classes are seen as often as common ones.

    Half of the draws go round the classes and take an exemplar that shows the class; the other half
    go round all exemplars, so that those with little or no foreground keep their share.

    Args:
        labels: class indices of the exemplars.
        classes: number of foreground classes; those in no exemplar are left out.
        count: how many numbers to draw.
        generator: of the random choices.
    """
    showing = [torch.nonzero((labels == k).flatten(1).any(1))[:, 0] for k in range(1, classes + 1)]
    showing = [numbers for numbers in showing if len(numbers)]
    drawn: list[int] = []
    for turn in range(count):
        if turn % 2 == 0 or not showing:
            drawn.append((turn // 2) % len(labels))
            continue
        numbers = showing[(turn // 2) % len(showing)]
        drawn.append(int(numbers[torch.randint(len(numbers), (1,), generator=generator)]))
    return drawn


def batch_order(
    rows: int, *, batch: int, step: int, seed_generator: torch.Generator
) -> list[Integer[Tensor, " b"]]:
    """Return the rows of the batches of all steps up to `step`, epoch by epoch without repeats."""
    needed = step * batch
    epochs = -(-needed // rows)
    order = torch.cat([torch.randperm(rows, generator=seed_generator) for _ in range(epochs)])
    return list(order[:needed].view(step, batch))
