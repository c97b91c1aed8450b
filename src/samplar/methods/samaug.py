"""SAMAug: a network of its own sees, besides the image, what SAM's automatic masks say of it.

Source: Zhang et al. 2023, arXiv 2304.11332, from the text of the specification: the published code
has no licence and was not used. SAM is frozen, and no gradient passes through it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from samplar.config.loss import LossConfig
from samplar.methods.automatic import Sieve
from samplar.methods.certainty import averaged, surer
from samplar.methods.contract import Batch, Card, Memory, Pass
from samplar.methods.prior_maps import INPUTS, Fusion, fused, prior_maps
from samplar.methods.task_network import FROM_SCRATCH, Kind, Shape, make_network, run_network
from samplar.sam.model import Sam

card = Card(
    name="samaug",
    title="A network from scratch that also sees what SAM's automatic masks say of the image",
    paper="Zhang et al. 2023, arXiv 2304.11332",
    plugs_in="data, instead of SAM",
    licence_note="no licence was published; nothing of the published code was used",
    differs=(
        (
            "256 points are asked about, not 1,024, and SAM is the chosen base weights.",
            "The published maps are ViT-H's, made once offline. `grid: 32` asks as often. "
            "LiteMedSAM was trained with boxes and finds little from points: weights that know "
            "points say more.",
        ),
        (
            "Maps are made of every synthetic image, after it was moved and re-toned.",
            "The published maps are stored with the original image. Ours are those that the "
            "network will see in use, and are made once per image of the pool.",
        ),
        (
            "Numbers are kept as they are.",
            "The published maps are stored as pictures of 8 bits, which cuts them off at 1.",
        ),
        (
            "Raw and augmented images are learnt in one step, or the augmented alone.",
            "`learn: steps` takes two steps, the raw first, as the published script does, which "
            "shows three sizes as well.",
        ),
        (
            "Cross-entropy plus Dice over classes.",
            "Published for one class: BCE plus soft IoU on four side outputs. The networks here "
            "have one output.",
        ),
    ),
)

FIT = {**FROM_SCRATCH, "training": {**FROM_SCRATCH["training"], "pool": 200}}
"""As for `unet`, but for fewer images, since SAM is asked many times about each."""


class Config(Shape):
    """Which masks of SAM count, how they are shown, and what learns from them."""

    network: Kind = "unet"
    fusion: Fusion = "add"
    """add: to the second and third channel; stack: as further channels; replace: for grey images,
    in place of the second and third."""
    learn: Literal["both", "augmented", "steps"] = "both"
    """both: raw and augmented images in one step; augmented: these alone; steps: one after the
    other, raw first."""
    answer: Literal["augmented", "average", "entropy", "distance"] = "augmented"
    """In use: that to the augmented image; the mean of both; or the surer one, by lower entropy as
    in the paper, or by distance from one half as in its code."""
    grid: int = Field(default=16, ge=1, le=128)
    """Points per side of the image that SAM is asked about."""
    sure: float = Field(default=0.5, ge=-1, le=1)
    """Smallest predicted IoU of a mask."""
    stable: float = Field(default=0.95, ge=0, le=1)
    """Smallest stability of a mask."""
    overlap: float = Field(default=0.5, ge=0, le=1)
    """Largest IoU of the boxes of two masks; the maps depend on it, as masks add up."""
    loss: LossConfig = LossConfig(ce=1.0, dice=1.0)


def attach(sam: Sam, config: Config, classes: int) -> None:
    """Put the network beside SAM, all of which stays frozen.

    Raises:
        UsageError: `methods.extra` without MONAI.
    """
    inputs = INPUTS[config.fusion]
    made = make_network(
        config.network, config, method=card.name, inputs=inputs, outputs=classes + 1
    )
    sam.add_module("task_network", made.eval().to(sam.device))


def see(sam: Sam, config: Config, images: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b 2 s s"]:
    """Make the two maps of every image; the images themselves come with the batch."""
    sieve = Sieve(config.grid, config.sure, config.stable, config.overlap)
    return prior_maps(sam, images, sieve)


def loss(config: Config) -> LossConfig:
    """Return the configured loss."""
    return config.loss


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k s s"]:
    """Segment the augmented images, and if both are to answer the raw ones as well."""
    augmented = _run(sam, config, batch, raw=False)
    if config.answer == "augmented":
        return augmented
    raw = _run(sam, config, batch, raw=True)
    if config.answer == "average":
        return averaged(raw, augmented)
    return surer(raw, augmented, by_entropy=config.answer == "entropy")


def passes(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Iterator[Pass]:
    """Show the network both kinds of images, with the same weights or one step apart."""
    if batch.labels is None:
        raise ValueError("passes are for training")
    if config.learn == "both":
        both = [_run(sam, config, batch, raw=raw) for raw in (True, False)]
        yield Pass(torch.cat(both), torch.cat([batch.labels, batch.labels]))
        return
    if config.learn == "steps":
        yield Pass(_run(sam, config, batch, raw=True), batch.labels)
    yield Pass(_run(sam, config, batch, raw=False), batch.labels)


def _run(sam: Sam, config: Config, batch: Batch, *, raw: bool) -> Float[Tensor, "b k s s"]:
    maps = torch.zeros_like(batch.embedding) if raw else batch.embedding
    shown = fused(batch.images, maps, config.fusion)
    return run_network(sam.get_submodule("task_network"), shown, levels=config.levels)
