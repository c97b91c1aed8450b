"""MA-SAM: slices seen among their neighbours by adapters, FacT, and a decoder down to the pixel.

Source: Chen et al. 2023, arXiv 2309.08842 (Medical Image Analysis 2024), and its public code
(Apache-2.0), from the text of the specification.
"""

from __future__ import annotations

from functools import partial

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from samplar.config.base import Strict
from samplar.config.loss import LossConfig
from samplar.methods.bottleneck import Start
from samplar.methods.contract import Batch, Card, Memory
from samplar.methods.differences import ADAPTERS_START_AT_ZERO
from samplar.methods.fact import add_fact
from samplar.methods.pixel_head import PixelHead
from samplar.methods.slab_adapter import SlabAdapter
from samplar.methods.two_way import read_both_ways
from samplar.sam.blocks import BlockSite, add_before_block, add_between, encoder_blocks
from samplar.sam.model import Sam
from samplar.sam.sites import encoder_attention, select_blocks
from samplar.sam.unfilled import built_on

card = Card(
    name="ma-sam",
    title="Slices seen among their neighbours by adapters, FacT on q and v, a decoder to the pixel",
    paper="Chen et al. 2023, arXiv 2309.08842",
    plugs_in="encoder, prompt encoder, decoder",
    licence_note="published code is Apache-2.0",
    differs=(
        (
            "Only the middle slice of a slab is compared with labels.",
            "The paper labels whole volumes and supervises all five slices. An exemplar is one "
            "labelled slice; its neighbours are seen and have no labels.",
        ),
        ADAPTERS_START_AT_ZERO,
        (
            "No dropout between the factors of FacT.",
            "The published code drops a tenth while it trains. All draws here are of the "
            "iteration alone, so that a run can be resumed.",
        ),
        (
            "Logits at the size of the image for every encoder.",
            "Published for cells of 16 pixels, which are enlarged 16 times. The 4 pixels of "
            "LiteMedSAM are enlarged 4 times, by what SAM has for that.",
        ),
        (
            "On a TinyViT factors are shared among layers of one width, and adapters are never "
            "more than half as wide as the tokens.",
            "Published for ViT, where all layers have one width, and 384 is half of it or less.",
        ),
        (
            "Synthesis moves and re-tones a slab as one.",
            "Published: its own augmentation, with patches of noise labelled as background. All "
            "methods share one way of making images.",
        ),
        (
            "A rate that decays from 8e-4 to 0.",
            "Published: the power 7, stopped at 300 of 400 epochs, 24 slabs a batch; "
            "`training.power` and `training.batch` come close.",
        ),
        (
            "No variant with a box in every slice.",
            "Boxes come from the truth, and exemplars of neighbours have none.",
        ),
    ),
)

LR = 8e-4
"""As published."""


class Config(Strict):
    """How many slices are seen together, where, and how what is added starts."""

    neighbours: int = Field(default=2, ge=0, le=8)
    """Slices on each side that a slice is seen with."""
    average: bool = True
    """In use, segment every slice of each slab, and average what the slabs say of a slice."""
    blocks: str = "all"
    """Encoder attention blocks with adapters and FacT: all, none or last:n."""
    inner: int = Field(default=384, ge=1, le=4096)
    """Numbers per token inside an adapter; never more than half of the tokens'."""
    start: Start = "zero"
    rank: int = Field(default=32, ge=1, le=256)
    scale: float = Field(default=1.0, gt=0)
    """How much of FacT is added."""
    loss: LossConfig = LossConfig(ce=0.2, dice=0.8, absent="count")


def attach(sam: Sam, config: Config, classes: int) -> None:
    """Add two adapters to every block, FacT to its q and v, and the head to the decoder.

    On SAM ViT-B with 12 classes 30,142,361 numbers train: adapters 24,818,688, FacT 73,728,
    decoder 5,243,725, prompt encoder 6,220.

    Raises:
        UsageError: `config.blocks`.
    """
    decoder = sam.mask_decoder
    make = partial(PixelHead, decoder.width, classes + 1, cell=sam.stride)
    begin = decoder.output_upscaling
    decoder.add_module("pixels", built_on(sam.device, partial(make, begin=begin)))
    decoder.get_submodule("pixels").requires_grad_(True)
    decoder.transformer.requires_grad_(True)
    decoder.iou_token.requires_grad_(True)
    sam.prompt_encoder.requires_grad_(True)
    for site in select_blocks(encoder_blocks(sam), config.blocks):
        for place in (add_before_block, add_between):
            place(sam, site, _adapter(sam, site, config))
    chosen = select_blocks(encoder_attention(sam), config.blocks)
    add_fact(sam, chosen, parts=("q", "v"), rank=config.rank, scale=config.scale)


def _adapter(sam: Sam, site: BlockSite, config: Config) -> SlabAdapter:
    inner, slices = min(config.inner, site.width // 2), 1 + 2 * config.neighbours
    make = partial(SlabAdapter, site.width, inner=inner, slices=slices, start=config.start)
    return built_on(sam.device, make)


def around(config: Config) -> int:
    """Say how many slices on each side a slice is seen with."""
    return config.neighbours


def averages(config: Config) -> bool:
    """Say whether all slices of a slab are segmented in use."""
    return config.average


def loss(config: Config) -> LossConfig:
    """Return 0.2 CE + 0.8 Dice."""
    return config.loss


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k h w"]:
    """Return a map per class, background first, at the size of the images."""
    decoder = sam.mask_decoder
    tokens = torch.cat([decoder.iou_token.weight, decoder.get_parameter("pixels.tokens.weight")])
    told, image = read_both_ways(sam, batch.embedding, tokens)
    return decoder.get_submodule("pixels")(told[:, 1:], image)
