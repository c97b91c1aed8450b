"""MDSAM: multi-scale adapters, four depths of the encoder, and details of the image itself.

Source: Gao et al. 2024, "Multi-Scale and Detail-Enhanced Segment Anything Model for Salient Object
Detection", arXiv 2408.04326, from the text of the specification. The published code has no licence:
nothing of it was used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from samplar.config.base import Strict
from samplar.config.loss import SaliencyLossConfig
from samplar.methods.bottleneck import Start
from samplar.methods.contract import Batch, Card, Memory, Pass
from samplar.methods.deep_supervision import supervised
from samplar.methods.dense_layers import averaged, stretched
from samplar.methods.detail import CoarseMasks, DeepBranch, DetailHead
from samplar.methods.differences import ADAPTERS_START_AT_ZERO
from samplar.methods.levels import LevelSum, copied_neck
from samplar.methods.multi_scale import MultiScale
from samplar.methods.two_way import read_both_ways
from samplar.sam.blocks import add_before_block, encoder_blocks, quarter_blocks
from samplar.sam.model import Sam
from samplar.sam.sites import select_blocks
from samplar.sam.unfilled import built_on
from samplar.sam.upscaling import placed

card = Card(
    name="mdsam",
    title="Multi-scale adapters, four depths of the encoder, details of the image",
    paper="Gao et al. 2024, arXiv 2408.04326",
    plugs_in="encoder, decoder",
    licence_note="published code has no licence and was not used",
    differs=(
        ADAPTERS_START_AT_ZERO,
        (
            "The new heads norm every image by itself.",
            "Published: batch norm. A batch of a few slices, made from a few exemplars, has "
            "statistics of its own. Group norm has as many trained numbers.",
        ),
        (
            "The coarse mask is asked for by what the transformer made of its token.",
            "The published code asks with the token as it was learnt, which its authors call an "
            "oversight; `legacy: true` does so too. The final mask does not depend on it.",
        ),
        (
            "One token and one channel per class, beside a background of logit 0.",
            "The paper has one structure and a sigmoid. With one class the numbers are the same; "
            "soft IoU and the absolute error are means over the classes.",
        ),
        (
            "Two parts are declared trained and never learn.",
            "They are in the published count: a convolution over all levels, which `fused: true` "
            "lets decide how much each counts, and a head on the deep branch, which `deep` puts "
            "into the loss.",
        ),
        (
            "On a TinyViT the depths are the quarters of its attention blocks.",
            "Published for ViT-B. Necks for tokens of another width begin with a new convolution, "
            "and features that are as fine as the image already are not enlarged.",
        ),
        (
            "Pixels are scaled as the base weights expect; synthesis instead of blur and turns.",
            "All methods share one way of making images.",
        ),
        (
            "A rate that decays from 5e-4 in iterations.",
            "Published: AdamW, weight decay 1e-5, warm-up over 5 of 80 epochs, then 2 % less each; "
            "the best epoch chosen on the test set.",
        ),
    ),
)

LR = 5e-4
"""As published for what is new; what SAM brings learns at `pretrained_rate` of it."""

PRETRAINED = (
    "image_encoder.neck",
    "mask_decoder.transformer.",
    "mask_decoder.iou_token.",
    "mask_decoder.output_upscaling.",
)
"""Parts that begin as SAM's."""


class Config(Strict):
    """Where adapters sit, how they start, and what is compared with the labels."""

    blocks: str = "all"
    """Encoder attention blocks with adapters: all, none or last:n."""
    start: Start = "zero"
    fused: bool = False
    """Let all levels together decide how much each counts."""
    coarse: float = Field(default=1.0, ge=0)
    """Weight of the loss of the coarse mask."""
    deep: float = Field(default=0.0, ge=0)
    """Weight of the loss of a mask made of the deep branch alone."""
    pretrained_rate: float = Field(default=0.1, gt=0, le=1)
    """Learning rate of what begins as SAM's, as a share of the run's."""
    legacy: bool = False
    """Ask for the coarse mask with the token as it was learnt."""
    loss: SaliencyLossConfig = SaliencyLossConfig(ssim=0.0, l1=1.0, smooth=1.0)


def taps(sam: Sam, config: Config) -> list[str]:
    """Tap the blocks that end the first three quarters of the encoder; the last has SAM's neck."""
    return [site.name for site in quarter_blocks(sam)[:-1]]


def attach(sam: Sam, config: Config, classes: int) -> None:
    """Add adapters and necks to the encoder, masks and details to the decoder.

    On SAM ViT-B with one class 14,570,082 numbers train: adapters 7,151,616, necks 3,149,824, sum
    of levels 526,848, SAM's decoder 3,365,472, coarse mask 140,064, deep branch 170,737, details
    65,521.

    Raises:
        UsageError: `config.blocks`.
    """
    encoder, decoder, build = sam.image_encoder, sam.mask_decoder, partial(built_on, sam.device)
    d, tapped = decoder.width, quarter_blocks(sam)[:-1]
    encoder.add_module("necks", nn.ModuleList(copied_neck(sam, site.width) for site in tapped))
    levels = build(partial(LevelSum, d, len(tapped) + 1, fused=config.fused))
    encoder.add_module("levels", levels)
    decoder.add_module("coarse", build(partial(CoarseMasks, d, classes, legacy=config.legacy)))
    decoder.add_module("deep", build(partial(DeepBranch, d, classes)))
    decoder.add_module("detail", build(partial(DetailHead, d // 8, classes)))
    for part in (encoder.neck, encoder.get_submodule("necks"), decoder.transformer):
        part.requires_grad_(True)
    for part in (decoder.iou_token, decoder.output_upscaling):
        part.requires_grad_(True)
    for site in select_blocks(encoder_blocks(sam), config.blocks):
        add_before_block(sam, site, build(partial(MultiScale, site.width, start=config.start)))


def rates(sam: Sam, config: Config) -> dict[str, float]:
    """Let what begins as SAM's learn slowly."""
    slow = [n for n, p in sam.named_parameters() if p.requires_grad and n.startswith(PRETRAINED)]
    return dict.fromkeys(slow, config.pretrained_rate)


def loss(config: Config) -> SaliencyLossConfig:
    """Return the configured loss."""
    return config.loss


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k h w"]:
    """Return the final mask, at the size of the images."""
    return _final(sam, batch, _read(sam, batch))


def passes(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Iterator[Pass]:
    """Yield one pass: the final mask, the coarse one, and that of the deep branch."""
    if batch.labels is None:
        raise ValueError("passes are for training")
    read, decoder = _read(sam, batch), sam.mask_decoder
    final = _final(sam, batch, read)
    size = (final.shape[-2], final.shape[-1])
    coarse = decoder.get_submodule("coarse")(read.told, read.features)
    deep = decoder.get_submodule("deep.masks")(read.deeper)
    others = [(config.coarse, coarse), (config.deep, deep)]
    framed = [(weight, _with_background(stretched(mask, size))) for weight, mask in others]
    yield supervised(final, framed, batch.labels)


@dataclass(frozen=True)
class _Read:
    """What the decoder made of a batch.

    Args:
        told: (b, t, d) the tokens of the classes after the transformer.
        features: (b, d / 8, u, v) of SAM's upscaling.
        deeper: (b, 32, u, v) of the deep branch.
    """

    told: Tensor
    features: Tensor
    deeper: Tensor


def _read(sam: Sam, batch: Batch) -> _Read:
    encoder, decoder, last = sam.image_encoder, sam.mask_decoder, batch.embedding
    grid = (last.shape[-2], last.shape[-1])
    necks = zip(encoder.get_submodule("necks").children(), batch.taps, strict=True)
    earlier = [averaged(neck(tap), grid) for neck, tap in necks]
    joined = encoder.get_submodule("levels")([*earlier, last])
    asking = decoder.get_parameter("coarse.tokens.weight")
    tokens = torch.cat([decoder.iou_token.weight, asking])
    told, cells = read_both_ways(sam, joined, tokens, no_prompt=False)
    pixels = decoder.output_upscaling.cells(cells.flatten(2).transpose(1, 2))
    deeper = decoder.get_submodule("deep")(last)  # as it is, not weighed
    return _Read(told[:, 1:], placed(pixels, grid), deeper)


def _final(sam: Sam, batch: Batch, read: _Read) -> Float[Tensor, "b k h w"]:
    detail = sam.mask_decoder.get_submodule("detail")
    return _with_background(detail(read.features, read.deeper, sam.pixels(batch.images)))


def _with_background(masks: Float[Tensor, "b t h w"]) -> Float[Tensor, "b k h w"]:
    """Put logit 0 before the classes: of one class the softmax is then a sigmoid."""
    return torch.cat([torch.zeros_like(masks[:, :1]), masks], dim=1)
