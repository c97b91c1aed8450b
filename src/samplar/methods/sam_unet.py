"""SAM-UNet: a ResNet beside the frozen encoder, skips to the decoder, one token per question.

Source: Yang et al. 2024, arXiv 2408.09886. The published code has no licence: nothing of it was
used.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Literal, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from samplar.config.base import Strict
from samplar.config.loss import MaskLossConfig
from samplar.methods.asking import class_logits, shown_classes
from samplar.methods.bottleneck import Start
from samplar.methods.contract import Batch, Card, Memory, Pass
from samplar.methods.differences import ALL_PARTS_IN_ONE_BOX
from samplar.methods.interaction import draw_targets, moved_boxes
from samplar.methods.oracle_prompts import box_prompts, truth_of
from samplar.methods.resnet import RESNET_34, RESNET_50, SMALL
from samplar.methods.side_branch import (
    add_branch,
    encode_beside,
    global_blocks,
    packed,
    unpacked,
)
from samplar.methods.skip_decoder import SkipDecoder
from samplar.sam.model import NO_PROMPT, Sam
from samplar.sam.prompt import Prompts
from samplar.sam.unfilled import built_on

card = Card(
    name="sam-unet",
    title="A ResNet beside the frozen encoder, skips to the decoder, boxed in use (oracle)",
    paper="Yang et al. 2024, arXiv 2408.09886",
    plugs_in="encoder, prompt encoder, decoder",
    prompts="oracle box",
    licence_note="published code has no licence and was not used",
    encoder="vit",
    differs=(
        (
            "The ResNet starts at random, and norms each image by itself.",
            "Published, it starts from ImageNet weights with their batch norms. Samplar brings no "
            "weights but SAM's, and statistics of a few slices are no substitute.",
        ),
        (
            "At first nothing of it reaches the encoder.",
            "Published: it does from the start, so that training begins away from SAM. "
            "`start: random` does so too.",
        ),
        ALL_PARTS_IN_ONE_BOX,
        (
            "Masks of one image may not overlap: the smaller one is in front.",
            "The paper segments one structure at a time and scores each by itself.",
        ),
        (
            "Boxes are moved by pixels of the frame, and labels stay classes.",
            "Published: by pixels of the picture before it is resized; labels are resized as "
            "pictures are, which blurs them.",
        ),
        (
            "AdamW with warm-up and decay.",
            "Published: Adam at 1e-4, halved twice, the best epoch chosen on the test set. All "
            "methods share one loop and never look at the test.",
        ),
    ),
)

LR = 1e-4
"""As published; what is trained is large."""
SHAPES = {"resnet50": RESNET_50, "resnet34": RESNET_34, "small": SMALL}


class Config(Strict):
    """Which network is beside the encoder, how it starts, and what is asked in training."""

    branch: Literal["resnet50", "resnet34", "small"] = "resnet50"
    start: Start = "zero"
    masks: int = Field(default=5, ge=1, le=64)
    """Structures drawn per image and iteration."""
    loss: MaskLossConfig = MaskLossConfig(focal=1.0, dice=20.0, quality=0.0)
    """Published with 1 and 20; SAM-Med2D, whose loss it is, has 20 and 1."""


def attach(sam: Sam, config: Config, classes: int) -> None:
    """Add the branch and the decoder's new parts; these, SAM's transformer, upscaling and prompts
    train: 51,755,564 numbers on SAM ViT-B.

    Raises:
        UsageError: `methods.plain_vit` on a TinyViT.
    """
    add_branch(sam, SHAPES[config.branch], method=card.name, start=config.start)
    decoder, blocks = sam.mask_decoder, global_blocks(sam, card.name)
    make = partial(SkipDecoder, decoder.width, len(blocks[0].norm1.weight), skips=len(blocks) - 1)
    decoder.add_module("skip", built_on(sam.device, make))
    for part in (sam.prompt_encoder, decoder.transformer, decoder.output_upscaling):
        part.requires_grad_(True)


def see(sam: Sam, config: Config, images: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b e i j"]:
    """Encode with the branch: the embedding, and what the skips begin with."""
    return packed(*encode_beside(sam, images))


def loss(config: Config) -> MaskLossConfig:
    """Return the configured loss."""
    return config.loss


def passes(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Iterator[Pass]:
    """Draw structures, box each a little beside where it is, and compare the answers at once."""
    if batch.labels is None or batch.chance is None:
        raise ValueError("passes are for training")
    targets = draw_targets(batch.labels, batch.classes, count=config.masks, chance=batch.chance)
    there = bool(targets.truth.flatten(1).any())
    boxes = moved_boxes(targets.truth, batch.chance) if there else None
    size = (batch.labels.shape[-2], batch.labels.shape[-1])
    low = _ask(sam, batch, targets.image, NO_PROMPT if boxes is None else Prompts(boxes=boxes))
    mask = F.interpolate(low[:, None], size, mode="bilinear", align_corners=False)[:, 0]
    yield Pass(torch.stack([torch.zeros_like(mask), mask], dim=1), targets.labels())


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k r s"]:
    """Segment every class that the labels show, by its box; background has logit 0.

    Raises:
        UsageError: `methods.oracle` when the images come without labels.
    """
    shown = shown_classes(truth_of(batch, card.name), batch.classes)
    low = _ask(sam, batch, shown.image, box_prompts(shown.truth))
    return class_logits(
        low, shown.image, shown.index, images=len(batch.images), classes=batch.classes
    )


def _ask(
    sam: Sam, batch: Batch, image: Int[Tensor, " p"], prompts: Prompts
) -> Float[Tensor, "p r s"]:
    """Decode a mask for each row, about the image that it names."""
    parts = cast(SkipDecoder, sam.mask_decoder.get_submodule("skip"))
    embedding, seen = unpacked(batch.embedding, width=sam.mask_decoder.width, skips=parts.skips)
    sparse, dense = sam.encode_prompts(prompts, embedding)
    place = sam.prompt_encoder.pe_layer.grid(embedding.shape[-2], embedding.shape[-1])
    source = embedding[image] + dense.to(embedding.dtype)
    detail = parts.detail(embedding, seen)[image]
    asked = sparse.expand(len(image), -1, -1)
    return parts(sam.mask_decoder, source, place, asked, detail=detail).float()
