"""Cheap Lunch: exemplar-guided synthesis, LoRA in encoder and decoder, class points, CE + 0.8 Dice.

Source: Feng, Zhu, Yu 2023, arXiv 2308.14133. The synthesis half is `samplar.synthesis`, on by
default for every method that trains; this file is the model half. The paper's "6.32M" equals the
size of SAMed_s's checkpoint, from which the placement of LoRA is inferred. No code was published:
what the public text leaves open is a setting here, and its reason is in
docs/explanation/cheap-lunch-and-assumptions.md.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from samplar.config.loss import LossConfig
from samplar.errors import UsageError
from samplar.methods.class_points import (
    ClassPoints,
    drawn_points,
    no_points,
    own_points,
    true_points,
)
from samplar.methods.content import content_masks, content_sizes
from samplar.methods.contract import Batch, Card, Memory
from samplar.methods.low_rank import SAMED_LR, LowRank, attach_low_rank
from samplar.sam.model import Sam
from samplar.sam.prompt import Prompts

card = Card(
    name="cheap-lunch",
    title="Exemplar-guided synthesis, low-rank adaptation, class points in training",
    paper="Feng, Zhu, Yu 2023, arXiv 2308.14133",
    plugs_in="data, encoder, prompt encoder, decoder",
    licence_note="no code was published",
)

LR = SAMED_LR


class Config(LowRank):
    """Low-rank placement, loss, and how points are given."""

    loss: LossConfig = LossConfig(ce=1.0, dice=0.8)
    train_prompts: Literal["all-class", "per-class", "none"] = "all-class"
    """all-class: a point in every class shown, all in one pass; per-class: one pass for each class,
    told by a learned vector which one; none: no points."""
    points: int = Field(default=1, ge=1, le=16)
    """Points drawn in each class shown, in training."""
    point_share: float = Field(default=0.5, ge=0, le=1)
    """Share of the training steps that give points; the others train the model to do without."""
    test_prompts: Literal["none", "locator", "oracle"] = "none"
    """none: no points; locator: the model's own first answer gives them; oracle: the truth does."""

    @model_validator(mode="after")
    def _trained_with_points(self) -> Config:
        if self.train_prompts == "none" and self.test_prompts != "none":
            raise ValueError("test_prompts other than none need train_prompts other than none")
        return self


def attach(sam: Sam, config: Config, classes: int) -> None:
    """LoRA on q and v of the chosen encoder blocks and of the decoder's seven attentions.

    With `per-class` the decoder gets two mask tokens, "not it" and "it", and each class a vector.
    """
    apart = config.train_prompts == "per-class"
    attach_low_rank(sam, config, 1 if apart else classes, decoder_lora=True)
    if apart:
        prompts = sam.prompt_encoder
        prompts.add_module("class_embed", nn.Embedding(classes, prompts.width).to(sam.device))


def loss(config: Config) -> LossConfig:
    """Return CE + 0.8 Dice."""
    return config.loss


def prompts(config: Config) -> str:
    """Say where the points come from at test time."""
    described = {"locator": "its own points", "oracle": "oracle points"}
    return described.get(config.test_prompts, "none")


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k i j"]:
    """Decode with points or without: drawn from the labels in training, as settled at test time.

    Raises:
        UsageError: `methods.oracle` when the points are to come from labels and there are none.
    """
    decode = _class_by_class if config.train_prompts == "per-class" else _all_at_once
    if batch.chance is not None:
        return decode(sam, batch, _training_points(config, batch, batch.chance))
    if config.test_prompts == "oracle":
        return decode(sam, batch, _oracle_points(batch))
    first = decode(sam, batch, None)
    if config.test_prompts == "none":
        return first
    content = content_masks(content_sizes(batch.images), batch.images)
    return decode(sam, batch, own_points(first, content))


def _training_points(config: Config, batch: Batch, chance: torch.Generator) -> ClassPoints | None:
    """Return points for this step, or none: by the draw, or because nothing is labelled."""
    given = bool(torch.rand((), generator=chance) < config.point_share)
    if config.train_prompts == "none" or batch.labels is None or not given:
        return None
    return drawn_points(batch.labels, batch.classes, count=config.points, chance=chance)


def _oracle_points(batch: Batch) -> ClassPoints:
    if batch.labels is None:
        raise UsageError(
            "cheap-lunch with test_prompts oracle reads the labels of what it segments, "
            "and there are none",
            fix="Use it on a labelled data set, or set test_prompts to locator or none",
            code="methods.oracle",
        )
    return true_points(batch.labels, batch.classes)


def _all_at_once(sam: Sam, batch: Batch, points: ClassPoints | None) -> Float[Tensor, "b k i j"]:
    """Decode once, with the points of all classes together; every class has its own mask token."""
    prompts = Prompts() if points is None else points.together()
    return sam.decode(batch.embedding, prompts)[0]


def _class_by_class(sam: Sam, batch: Batch, points: ClassPoints | None) -> Float[Tensor, "b k i j"]:
    """Decode once for each class; its score is the lead of "it" over "not it", background's 0."""
    embedding = batch.embedding
    told = points or no_points(len(embedding), batch.classes, embedding)
    vectors = sam.prompt_encoder.get_parameter("class_embed.weight")
    scores = []
    for number, vector in enumerate(vectors):
        sparse, dense = sam.encode_prompts(told.of(number), embedding)
        carried = torch.cat([sparse[:, :-1] + vector, sparse[:, -1:]], dim=1)  # last: padding
        masks, _ = sam.decode_encoded(embedding, carried, dense)
        scores.append(masks[:, 1] - masks[:, 0])
    return torch.stack([torch.zeros_like(scores[0]), *scores], dim=1)
