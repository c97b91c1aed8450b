"""SAMed_s's arrangement, shared by the methods built on it: LoRA on q and v, class tokens."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from samplar.config.base import Strict
from samplar.config.loss import LossConfig
from samplar.methods.head import HeadInit, set_class_tokens, train_decoder
from samplar.methods.lora import add_lora
from samplar.sam.model import Sam
from samplar.sam.pixels import UNIT, PixelScale
from samplar.sam.sites import decoder_attention, encoder_attention, select_blocks

SAMED_LR = 5e-3
"""SAMed's base rate; low-rank paths start at zero and need more than a pre-trained decoder."""


class LowRank(Strict):
    """Where the low-rank paths sit and how the head starts."""

    rank: int = Field(default=4, ge=1, le=256)
    blocks: str = "all"
    """Encoder attention blocks with LoRA: all, none or last:n."""
    head_init: HeadInit = "sam"
    pixels: Literal["unit", "weights"] = "unit"
    """unit: the encoder sees [0, 1] as it is, as in SAMed's code; weights: as the base weights were
    trained. The two differ on SAM's own weights."""
    loss: LossConfig = LossConfig()


class AsSamed(LowRank):
    """SAMed's choices: new tokens at random, 0.2 CE + 0.8 Dice as its code has it."""

    head_init: HeadInit = "random"
    loss: LossConfig = LossConfig(ce=0.2, dice=0.8, absent="count")


def attach_low_rank(sam: Sam, config: LowRank, classes: int, *, decoder_lora: bool) -> None:
    """Add LoRA to q and v of the chosen encoder blocks; prompt encoder and class head train.

    On SAM ViT-B with 8 classes these are the 4,913,621 numbers of SAMed's checkpoint, or the
    1,645,909 of SAMed_s's: encoder 147,456, decoder's LoRA 23,552, prompt encoder 6,220, rest of
    the decoder 1,468,681.

    Args:
        sam: changed in place.
        config: rank, blocks and head.
        classes: number of foreground classes.
        decoder_lora: True freezes the two-way transformer and gives its seven attentions LoRA
            (SAMed_s); False trains the whole decoder (SAMed).
    """
    if config.pixels == "unit":
        sam.pixels = PixelScale(UNIT).to(sam.device)
    set_class_tokens(sam, classes, init=config.head_init)
    train_decoder(sam, transformer=not decoder_lora, idle=True)
    chosen = select_blocks(encoder_attention(sam), config.blocks)
    add_lora(sam, chosen, parts=("q", "v"), rank=config.rank)
    if decoder_lora:
        add_lora(sam, decoder_attention(sam), parts=("q", "v"), rank=config.rank)
