"""SAM as published, prompted from the truth: an oracle, for comparison only.

What it shows is how well SAM cuts out a structure that somebody else has already found. `box` and
`points` prompt every class from the labels of the very image that is segmented. `automatic` shows
SAM nothing, and then picks with the labels, for every class, the mask that fits it best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int, Integer
from pydantic import Field
from torch import Tensor

from samplar.config.base import Strict
from samplar.methods.asking import ABSENT, class_logits, decode_rows, shown_classes
from samplar.methods.automatic import Sieve, automatic_masks
from samplar.methods.content import content_masks, content_sizes
from samplar.methods.contract import Batch, Card, Memory
from samplar.methods.oracle_prompts import box_prompts, point_prompts, truth_of
from samplar.sam.model import Sam
from samplar.types import IGNORE

card = Card(
    name="zero-shot",
    title="SAM without training, prompted with each class's truth (oracle)",
    paper="Kirillov et al. 2023, arXiv 2304.02643",
    plugs_in="prompt",
    prompts="oracle box, points or best automatic mask",
    licence_note="Apache-2.0",
    trains=False,
)


class Config(Strict):
    """Which oracle."""

    prompt: Literal["box", "points", "automatic"] = "box"
    inside: int = Field(default=1, ge=1, le=32)
    """Points inside the structure, for `points`."""
    outside: int = Field(default=0, ge=0, le=32)
    """Points around it, for `points`."""
    grid: int = Field(default=32, ge=1, le=128)
    """Points per side of the image, for `automatic`."""
    sure: float = Field(default=0.88, ge=-1, le=1)
    """Smallest predicted IoU of an automatic mask."""
    stable: float = Field(default=0.95, ge=0, le=1)
    """Smallest stability of an automatic mask."""
    overlap: float = Field(default=0.7, ge=0, le=1)
    """Largest IoU of the boxes of two automatic masks."""


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k r s"]:
    """Segment every class that the labels show; background has logit 0, SAM's own threshold.

    Raises:
        UsageError: `methods.oracle` when the images come without labels.
    """
    asked = _ask(batch, truth_of(batch, card.name))
    masks = (_chosen if config.prompt == "automatic" else _prompted)(sam, config, asked)
    return class_logits(
        masks, asked.image, asked.index, images=len(batch.images), classes=batch.classes
    )


@dataclass(frozen=True)
class _Asked:
    """One row per class that an image shows.

    Args:
        embedding: (b, d, i, j) of the images.
        sizes: (height, width) of each image in the frame.
        known: (b, s, s) True on labelled pixels of the image.
        image: (p,) number of the image of each row.
        index: (p,) class of each row.
        truth: (p, s, s) True where that class is.
    """

    embedding: Float[Tensor, "b d i j"]
    sizes: list[tuple[int, int]]
    known: Bool[Tensor, "b s s"]
    image: Int[Tensor, " p"]
    index: Int[Tensor, " p"]
    truth: Bool[Tensor, "p s s"]


def _ask(batch: Batch, labels: Integer[Tensor, "b s s"]) -> _Asked:
    shown = shown_classes(labels, batch.classes)
    sizes = content_sizes(batch.images)
    known = content_masks(sizes, batch.images) & (labels != IGNORE)
    return _Asked(batch.embedding, sizes, known, shown.image, shown.index, shown.truth)


def _prompted(sam: Sam, config: Config, asked: _Asked) -> Float[Tensor, "p r s"]:
    """Return SAM's single mask for the box, or the points, of each row's truth."""
    if config.prompt == "box":
        prompts = box_prompts(asked.truth)
    else:
        others = ~asked.truth & asked.known[asked.image]
        prompts = point_prompts(asked.truth, others, inside=config.inside, outside=config.outside)
    return decode_rows(sam, asked.embedding, asked.image, prompts)[0][:, 0]


def _chosen(sam: Sam, config: Config, asked: _Asked) -> Float[Tensor, "p r s"]:
    """Return for each row the automatic mask of its image with the largest IoU with its truth."""
    height, width = (4 * side for side in asked.embedding.shape[-2:])
    out = torch.full((len(asked.image), height, width), ABSENT, device=asked.embedding.device)
    sieve = Sieve(config.grid, config.sure, config.stable, config.overlap)
    for number in asked.image.unique().tolist():
        found = automatic_masks(
            sam,
            asked.embedding[number : number + 1],
            size=asked.truth.shape[-1],
            content=asked.sizes[number],
            sieve=sieve,
        )
        for row in torch.nonzero(asked.image == number)[:, 0].tolist():
            best = best_match(found.masks, asked.truth[row], asked.known[number])
            if best is not None:
                out[row] = found.logits[best]
    return out


def best_match(
    masks: Bool[Tensor, "n h w"], truth: Bool[Tensor, "s s"], known: Bool[Tensor, "s s"]
) -> int | None:
    """Return which mask has the largest IoU with the truth on known pixels; None if none meets it.

    The masks lie in the upper left corner of the frame of `truth`.
    """
    height, width = masks.shape[-2:]
    truth, known = truth[:height, :width], known[:height, :width]
    common = (masks & truth).flatten(1).sum(dim=1)
    either = ((masks | truth) & known).flatten(1).sum(dim=1)
    overlap = common / either.clamp(min=1)
    if len(masks) == 0 or not bool(overlap.any()):
        return None
    return int(overlap.argmax())
