"""From images to what a method is given of them: the steps, and which of them are frozen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from samplar.config.base import Strict
from samplar.methods.contract import Method
from samplar.sam.model import Sam
from samplar.sam.seeded import digest_of
from samplar.sam.sites import first_trained_step

Step = Callable[[Tensor], Tensor]
"""From images, or what the step before made of them, towards the embedding."""


def tapped_steps(sam: Sam, method: Method, config: Strict) -> list[int]:
    """Return the numbers of the steps that a method taps, asked while SAM is as it was."""
    if method.taps is None:
        return []
    names = [name for name, _ in sam.steps()]
    return [names.index(name) for name in method.taps(sam, config)]


def seen_through(
    sam: Sam, method: Method, config: Strict, *, tapped: Sequence[int]
) -> tuple[list[tuple[str, Step]], int]:
    """Return the steps and how many of them are frozen: their output depends on the image alone.

    What a tapped step makes is to be kept as long as the rest runs, so the prefix ends with the
    first of them at the latest.

    Args:
        sam: with the method on it.
        method: that is on it.
        config: its settings.
        tapped: what `tapped_steps` returned.
    """
    if not method.embeds:
        return [], 0
    steps, first = sam.steps(), first_trained_step(sam)
    if method.see is not None:
        return [("see", partial(method.see, sam, config))], int(first == len(steps))
    return list(steps), min([first, *(number + 1 for number in tapped)])


def digest_of_steps(
    steps: Sequence[tuple[str, Step]], sam: Sam, method: Method, config: Strict, *, slices: int
) -> str:
    """Return a SHA-256 that models share only if these steps do the same in all of them.

    Modules are known by their structure and their tensors. A method's own way to see may read any
    part of SAM, so it has in it the method, its settings and all that does not train.

    Args:
        steps: the first of what `seen_through` returned.
        sam: with the method on it.
        method: that is on it.
        config: its settings.
        slices: how many slices of a volume one image holds.
    """
    parts = [f"{slices} slices"]
    for name, step in steps:
        if isinstance(step, nn.Module):
            parts.append(f"{name} {step} {digest_of(_frozen_tensors(step))}")
        else:
            known = f"{method.card.name} {config.model_dump_json()}"
            parts.append(f"{name} {known} {digest_of(_frozen_tensors(sam))}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _frozen_tensors(module: nn.Module) -> dict[str, Tensor]:
    still = {name: p for name, p in module.named_parameters() if not p.requires_grad}
    return still | dict(module.named_buffers())
