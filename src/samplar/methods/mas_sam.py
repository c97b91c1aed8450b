"""MAS-SAM: LoRA and adapters in the encoder, and a dense head fed by four depths of it.

Source: Yan et al. 2024, "MAS-SAM: Segment Any Marine Animal with Aggregated Features", IJCAI 2024,
from the text of the specification. The published code has no licence: nothing of it was used.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from samplar.config.base import Strict
from samplar.config.loss import SaliencyLossConfig
from samplar.methods.bottleneck import Start
from samplar.methods.contract import Batch, Card, Memory, Pass
from samplar.methods.deep_supervision import supervised
from samplar.methods.dense_layers import averaged
from samplar.methods.differences import ADAPTERS_START_AT_ZERO
from samplar.methods.head import HeadInit, set_class_tokens
from samplar.methods.lora import add_lora
from samplar.methods.mlp_adapter import MlpAdapter
from samplar.methods.progressive import ProgressiveHead
from samplar.methods.two_way import read_both_ways
from samplar.sam.blocks import add_after_mlp, encoder_blocks, quarter_blocks
from samplar.sam.model import Sam
from samplar.sam.sites import encoder_attention, select_blocks
from samplar.sam.unfilled import built_on

card = Card(
    name="mas-sam",
    title="LoRA and adapters in the encoder, a dense head on four of its depths",
    paper="Yan et al. 2024, IJCAI",
    plugs_in="encoder, prompt encoder, decoder",
    licence_note="published code has no licence and was not used",
    differs=(
        ADAPTERS_START_AT_ZERO,
        (
            "The head norms every image by itself.",
            "Published: batch norm. A batch of a few slices, made from a few exemplars, has "
            "statistics of its own. Group norm has as many trained numbers.",
        ),
        (
            "The shallowest features are used.",
            "In the published code both branches meant for them read the second depth, by a wrong "
            "index. `legacy: true` does so too.",
        ),
        (
            "The class with the largest logit wins.",
            "The published test writes the foreground's logit as a grey value and cuts it at "
            "10/255; it does not look at the background's.",
        ),
        (
            "One channel per class.",
            "The paper knows foreground and background. With one class the numbers are the same; "
            "soft IoU and SSIM are means over the classes.",
        ),
        (
            "Pixels are scaled as the base weights expect, and labels are as in all methods.",
            "Published: statistics of its own data, 512 pixels, flips.",
        ),
        (
            "A TinyViT is tapped at the quarters of its attention blocks; cells are 8 pixels.",
            "Published for ViT-B, whose cells are 16 pixels; its masks are 8 times finer. From the "
            "4 pixels of LiteMedSAM they would be finer than the image.",
        ),
        (
            "Mask networks, quality head and upscaling are declared trained and never learn.",
            "They are in the published count: SAM's decoder is run, and only its image is used.",
        ),
        (
            "A rate that decays from 1e-3.",
            "Published: AdamW, 1e-3, divided by 10 after 22 of 50 epochs, and again after 44. All "
            "methods share one schedule.",
        ),
    ),
)

CELL = 8
"""Pixels of a cell of the head at least; its masks are 8 times finer."""


class Config(Strict):
    """Where the encoder is adapted, how it starts, and what the coarse masks count."""

    rank: int = Field(default=4, ge=1, le=256)
    blocks: str = "all"
    """Encoder attention blocks with LoRA and adapters: all, none or last:n."""
    start: Start = "zero"
    head_init: HeadInit = "random"
    side: float = Field(default=1.0, ge=0)
    """Weight of the loss of each of the four masks before the final one."""
    legacy: bool = False
    """Read the second depth where the shallowest is meant."""
    loss: SaliencyLossConfig = SaliencyLossConfig()


def taps(sam: Sam, config: Config) -> list[str]:
    """Tap the blocks that end the quarters of the encoder."""
    return [site.name for site in quarter_blocks(sam)]


def attach(sam: Sam, config: Config, classes: int) -> None:
    """Adapt the encoder and put the head beside SAM's decoder, which trains as well.

    On SAM ViT-B with one class 11,129,432 numbers train: adapters 1,208,064, LoRA 147,456, prompt
    encoder 6,220, SAM's decoder 3,778,212, head 5,989,480.

    Raises:
        UsageError: `config.blocks`.
    """
    decoder, depths = sam.mask_decoder, [site.width for site in quarter_blocks(sam)]
    quality = decoder.iou_prediction_head
    set_class_tokens(sam, classes, init=config.head_init)
    decoder.iou_prediction_head = quality  # of four masks, as SAM has it: nobody reads it
    sam.prompt_encoder.requires_grad_(True)
    decoder.requires_grad_(True)
    head = built_on(sam.device, partial(ProgressiveHead, depths, decoder.width, classes + 1))
    decoder.add_module("progressive", head)
    for site in select_blocks(encoder_blocks(sam), config.blocks):
        made = built_on(sam.device, partial(MlpAdapter, site.width, start=config.start))
        add_after_mlp(sam, site, made)
    chosen = select_blocks(encoder_attention(sam), config.blocks)
    add_lora(sam, chosen, parts=("q", "v"), rank=config.rank)


def loss(config: Config) -> SaliencyLossConfig:
    """Return the configured loss."""
    return config.loss


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k i j"]:
    """Return the final mask."""
    return _masks(sam, config, batch)[0]


def passes(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Iterator[Pass]:
    """Yield one pass: the final mask, and the four before it."""
    if batch.labels is None:
        raise ValueError("passes are for training")
    final, before = _masks(sam, config, batch)
    yield supervised(final, [(config.side, mask) for mask in before], batch.labels)


def _masks(sam: Sam, config: Config, batch: Batch) -> tuple[Tensor, list[Tensor]]:
    decoder = sam.mask_decoder
    tokens = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    _, image = read_both_ways(sam, batch.embedding, tokens)
    shallow, second, *deeper = batch.taps
    features = [second if config.legacy else shallow, second, *deeper]
    height, width = (-(-side * min(sam.stride, CELL) // CELL) for side in image.shape[-2:])
    parts = [averaged(x, (height, width)) for x in (image, *reversed(features))]
    return decoder.get_submodule("progressive")(parts[0], parts[1:])
