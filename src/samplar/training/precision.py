"""Whether to compute in bfloat16, settled on the exemplars themselves.

Where the processor has no instructions for bfloat16 there is nothing to settle. Where it has, both
precisions segment the same exemplars: bfloat16 is kept if the masks are the same but for a few
pixels and it took less time. Before training it is SAM itself that is asked, with a box around each
structure; after it the trained model, which has the last word for predictions. What trains computes
in bfloat16 if only that took less time: a training has no masks yet that could be others.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor

from samplar.methods.adapted import AdaptedSam
from samplar.methods.oracle_prompts import box_prompts
from samplar.sam.model import Sam
from samplar.sam.precision import autocast
from samplar.synthesis.samples import Samples
from samplar.types import IGNORE

BOUND = 0.995
"""Least mean Dice between the masks of both precisions."""
TASTE = 4
"""Exemplars that are looked at, at most."""
TURNS = 3

Segment = Callable[[Samples], Bool[Tensor, "m h w"]]


@dataclass(frozen=True)
class Probe:
    """What came out.

    Args:
        agreement: mean Dice, 0 to 1, between the masks of bfloat16 and of float32; a mask that is
            empty in both is left out.
        full: median seconds in float32.
        half: median seconds in bfloat16.
    """

    agreement: float
    full: float
    half: float

    @property
    def chosen(self) -> Literal["fp32", "bf16"]:
        """The precision for what is to say the same as in fp32."""
        return self.quicker if self.agreement >= BOUND else "fp32"

    @property
    def quicker(self) -> Literal["fp32", "bf16"]:
        """The precision for what trains."""
        return "bf16" if self.half < self.full else "fp32"

    def line(self) -> str:
        """Say it in one line."""
        return (
            f"precision: {self.chosen}; on the exemplars bf16 agrees with fp32 to a Dice of "
            f"{self.agreement:.4f} (at least {BOUND} is asked for) in {self.half / self.full:.2f} "
            "of its time"
        )


def probe_sam(sam: Sam, samples: Samples) -> Probe:
    """Compare on the structures of a few exemplars, as SAM finds them from their boxes."""
    return _probe(lambda some: _from_boxes(sam, some), samples, sam.device)


def probe_model(model: AdaptedSam, samples: Samples) -> Probe:
    """Compare on a few exemplars, as the trained model segments them."""
    return _probe(lambda some: _by_class(model, some), samples, model.sam.device)


@torch.no_grad()
def _probe(segment: Segment, samples: Samples, device: torch.device) -> Probe:
    taste = Samples(samples.images[:TASTE], samples.labels[:TASTE], samples.valid[:TASTE])
    taste = Samples(*(t.to(device) for t in vars(taste).values()))
    masks: dict[str, Tensor] = {}
    seconds: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for turn in range(1 + TURNS):  # the first is for warming up
        for kind, taken in seconds.items():
            start = time.perf_counter()
            with autocast(kind, device):
                masks[kind] = segment(taste).cpu()
            taken.extend([time.perf_counter() - start] * (turn > 0))
    full, half = (statistics.median(taken) for taken in seconds.values())
    return Probe(agreement(masks["fp32"], masks["bf16"]), full, half)


def agreement(one: Bool[Tensor, "m h w"], other: Bool[Tensor, "m h w"]) -> float:
    """Return the mean Dice of the pairs of masks that show something, 1 if there are none."""
    sizes = one.flatten(1).sum(dim=1) + other.flatten(1).sum(dim=1)
    shared = (one & other).flatten(1).sum(dim=1)
    shown = sizes > 0
    return float((2 * shared[shown] / sizes[shown]).mean()) if bool(shown.any()) else 1.0


def _from_boxes(sam: Sam, samples: Samples) -> Bool[Tensor, "m h w"]:
    found = []
    for image, labels in zip(samples.images, samples.labels, strict=True):
        classes = [k for k in labels.unique().tolist() if k not in (0, IGNORE)]
        if classes:
            prompts = box_prompts(torch.stack([labels == k for k in classes]))
            middle = image.unflatten(0, (-1, 3))[len(image) // 6]  # among its neighbours
            found.append(sam.decode(sam.encode(middle[None]), prompts)[0][:, 0] > 0)
    return torch.cat(found) if found else samples.valid[:0]


def _by_class(model: AdaptedSam, samples: Samples) -> Bool[Tensor, "m h w"]:
    found = []
    for image, labels in zip(samples.images.split(1), samples.labels.split(1), strict=True):
        logits = model(model.prefix(image), image, labels if model.oracle else None)
        winner = logits.argmax(dim=1)
        found += [winner == k for k in range(1, model.classes + 1)]
    return torch.cat(found)
