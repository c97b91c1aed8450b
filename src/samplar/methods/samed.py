"""SAMed: LoRA on q and v of every encoder block, the whole decoder trained, class mask tokens.

Source: Zhang and Liu 2023, arXiv 2304.13785, and its public code (MIT).
"""

from __future__ import annotations

from samplar.config.loss import LossConfig
from samplar.methods.contract import Card
from samplar.methods.head import HeadInit
from samplar.methods.low_rank import LowRank, attach_low_rank
from samplar.sam.model import Sam

card = Card(
    name="samed",
    title="LoRA in the encoder, the whole decoder trained, one mask token per class",
    paper="Zhang and Liu 2023, arXiv 2304.13785",
    plugs_in="encoder, decoder",
    prompts="none",
    licence_note="published code is MIT",
)

LR = 5e-3
"""SAMed's base rate; low-rank paths start at zero and need more than a pre-trained decoder."""


class Config(LowRank):
    """SAMed's choices: new tokens at random, 0.2 CE + 0.8 Dice as its code has it."""

    head_init: HeadInit = "random"
    loss: LossConfig = LossConfig(ce=0.2, dice=0.8, absent="count")


def attach(sam: Sam, config: Config, classes: int) -> None:
    """LoRA on q and v of the chosen encoder blocks; prompt encoder and decoder train."""
    attach_low_rank(sam, config, classes, decoder_lora=False)


def loss(config: Config) -> LossConfig:
    """Return 0.2 CE + 0.8 Dice."""
    return config.loss
