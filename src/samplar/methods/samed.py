"""SAMed: LoRA on q and v of every encoder block, the whole decoder trained, class mask tokens.

Source: Zhang and Liu 2023, arXiv 2304.13785, and its public code (MIT).
"""

from __future__ import annotations

from samplar.config.loss import LossConfig
from samplar.methods.contract import Card
from samplar.methods.low_rank import SAMED_LR, AsSamed, attach_low_rank
from samplar.sam.model import Sam

card = Card(
    name="samed",
    title="LoRA in the encoder, the whole decoder trained, one mask token per class",
    paper="Zhang and Liu 2023, arXiv 2304.13785",
    plugs_in="encoder, prompt encoder, decoder",
    licence_note="published code is MIT",
)

LR = SAMED_LR


class Config(AsSamed):
    """Low-rank placement, head and loss, as SAMed has them."""


def attach(sam: Sam, config: Config, classes: int) -> None:
    """LoRA on q and v of the chosen encoder blocks; prompt encoder and decoder train."""
    attach_low_rank(sam, config, classes, decoder_lora=False)


def loss(config: Config) -> LossConfig:
    """Return 0.2 CE + 0.8 Dice."""
    return config.loss
