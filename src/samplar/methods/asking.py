"""Many prompts about many images at once: one row per image and class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor

from samplar.sam.device import encoder_batch
from samplar.sam.guidance import Guidance
from samplar.sam.model import Sam
from samplar.sam.precision import at_least_single
from samplar.sam.prompt import Prompts

ABSENT = -1e4
"""Logit of a class that nothing was asked about."""


@dataclass(frozen=True)
class Shown:
    """One row per class that an image shows.

    Args:
        image: (p,) number of the image of each row.
        index: (p,) class of each row, from 1.
        truth: (p, s, s) True where that class is.
    """

    image: Int[Tensor, " p"]
    index: Int[Tensor, " p"]
    truth: Bool[Tensor, "p s s"]


def shown_classes(labels: Integer[Tensor, "b s s"], classes: int) -> Shown:
    """Return what the images show, image by image, class by class."""
    there = torch.stack([labels == index for index in range(1, classes + 1)], dim=1)
    image, place = torch.nonzero(there.flatten(2).any(dim=2), as_tuple=True)
    return Shown(image, place + 1, there[image, place])


def decode_rows(
    sam: Sam,
    embedding: Float[Tensor, "b d i j"],
    image: Int[Tensor, " p"],
    prompts: Prompts,
    guidance: Guidance | None = None,
) -> tuple[Float[Tensor, "p t r s"], Float[Tensor, "p t"]]:
    """Decode prompt by prompt, each about the image its row names, in parts that fit memory.

    Returns:
        Logits of every mask token and the predicted IoU of each, in float32 at least.
    """
    if len(image) == 0:
        tokens, (height, width) = sam.mask_decoder.mask_tokens.num_embeddings, embedding.shape[-2:]
        nothing = torch.zeros(0, tokens, 4 * height, 4 * width, device=embedding.device)
        return nothing, nothing[..., 0, 0]
    step = 8 * encoder_batch(embedding.device)
    parts = []
    for start in range(0, len(image), step):
        rows = slice(start, start + step)
        told = guidance
        if guidance is not None:
            told = Guidance(guidance.bias[rows], guidance.target[rows], guidance.legacy)
        parts.append(sam.decode(embedding[image[rows]], rows_of(prompts, rows), told))
    masks, quality = zip(*parts, strict=True)
    return at_least_single(torch.cat(masks)), at_least_single(torch.cat(quality))


def rows_of(prompts: Prompts, rows: slice) -> Prompts:
    """Return some of the prompts."""
    given = (prompts.points, prompts.labels, prompts.boxes, prompts.masks)
    return Prompts(*(None if part is None else part[rows] for part in given))


def class_logits(
    masks: Float[Tensor, "p r s"],
    image: Int[Tensor, " p"],
    index: Int[Tensor, " p"],
    *,
    images: int,
    classes: int,
) -> Float[Tensor, "b k r s"]:
    """Lay one mask per row out by image and class, the smaller mask in front of the larger.

    SAM fills what it cuts out: the mask of a ring holds what the ring surrounds. So where masks of
    one image overlap, the one with fewer pixels wins: the other's logit becomes at most minus its.
    Background has logit 0, SAM's own threshold. Classes without a row are absent.

    Args:
        masks: logits.
        image: number of the image of each row.
        index: class of each row, from 1.
        images: how many images there are.
        classes: how many classes there are.
    """
    out = masks.new_full((images, classes + 1, *masks.shape[-2:]), ABSENT)
    out[:, 0] = 0
    out[image, index] = masks
    return torch.stack([torch.cat([each[:1], _smaller_in_front(each[1:])]) for each in out])


def _smaller_in_front(logits: Float[Tensor, "k r s"]) -> Float[Tensor, "k r s"]:
    """Take from every mask what a smaller one covers; a tie goes to the lower class."""
    front, left = torch.full_like(logits[0], ABSENT), list(logits)
    for number in torch.argsort((logits > 0).flatten(1).sum(dim=1), stable=True).tolist():
        behind = torch.minimum(left[number], -front)
        left[number] = torch.where(front > 0, behind, left[number])
        front = torch.maximum(front, left[number])
    return torch.stack(left)
