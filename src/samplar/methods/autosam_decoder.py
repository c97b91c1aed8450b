"""AutoSAM of Hu: a frozen encoder, and a light head that needs no prompt, one question per class.

Source: Hu, Xu, Shi 2023, arXiv 2306.13731, and its public code (Apache-2.0). Another AutoSAM, of
Shaharabany et al., is in autosam_prompt.py.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from samplar.config.base import Strict
from samplar.config.loss import ForegroundLossConfig
from samplar.methods.class_cnn import ClassCnn
from samplar.methods.class_tokens import add_class_tokens, decode_apart
from samplar.methods.contract import Batch, Card, Memory
from samplar.methods.head import HeadInit
from samplar.sam.model import Sam
from samplar.sam.pixels import UNIT, PixelScale
from samplar.sam.unfilled import built_on

card = Card(
    name="autosam-decoder",
    title="SAM's decoder asked about each class by tokens of its own, or a convolutional head",
    paper="Hu, Xu, Shi 2023, arXiv 2306.13731 (AutoSAM)",
    plugs_in="decoder",
    licence_note="published code is Apache-2.0",
    differs=(
        (
            "Mask tokens start from SAM's, and the quality token is SAM's.",
            "Published, both are drawn at random, and the quality tokens stay so, as they are "
            "frozen. `head_init: random` does that.",
        ),
        (
            "Cells are told where they are as SAM was trained to be told.",
            "The published code draws another matrix for it, which its files do not keep.",
        ),
        (
            "The encoder sees pixels as its weights were trained to.",
            "Published: [0, 1] as it is, on weights that expect SAM's statistics. `pixels: unit`.",
        ),
        (
            "AdamW with warm-up and decay.",
            "Published: Adam at 5e-4, reduced when the loss of the last batch stays. All methods "
            "share one loop.",
        ),
    ),
)

LR = 5e-4
"""As published."""


class Config(Strict):
    """Which head, how it starts, what the encoder sees, and the loss."""

    head: Literal["transformer", "cnn"] = "transformer"
    """SAM's decoder with tokens per class, or convolutions from the embedding to the classes."""
    head_init: HeadInit = "sam"
    pixels: Literal["weights", "unit"] = "weights"
    """As the base weights were trained, or [0, 1] as it is."""
    loss: ForegroundLossConfig = ForegroundLossConfig()


def attach(sam: Sam, config: Config, classes: int) -> None:
    """Add the head; the encoder stays frozen.

    With four classes, of which one is background, the tokens make 3,646,880 numbers train:
    transformer 3,291,264, upscaling 73,952, two networks 279,616, tokens 2,048.
    """
    decoder = sam.mask_decoder
    if config.pixels == "unit":
        sam.pixels = PixelScale(UNIT).to(sam.device)
    if config.head == "transformer":
        add_class_tokens(decoder, classes + 1, init=config.head_init)
    else:
        head = built_on(sam.device, lambda: ClassCnn(decoder.width, classes + 1))
        decoder.add_module("class_cnn", head)


def loss(config: Config) -> ForegroundLossConfig:
    """Return the configured loss."""
    return config.loss


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k r s"]:
    """Apply the head to the embedding, without any prompt."""
    decoder, embedding = sam.mask_decoder, batch.embedding
    if config.head == "cnn":
        return decoder.get_submodule("class_cnn")(embedding)
    place = sam.prompt_encoder.pe_layer.grid(embedding.shape[-2], embedding.shape[-1])
    return decode_apart(decoder, embedding, place)
