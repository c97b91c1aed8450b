"""SAMed_s: SAMed with the two-way transformer frozen and LoRA on its q and v projections.

Source: Zhang and Liu 2023, arXiv 2304.13785, table 3, and its public code (MIT).
"""

from __future__ import annotations

from samplar.config.loss import LossConfig
from samplar.methods.contract import Card
from samplar.methods.low_rank import SAMED_LR, AsSamed, attach_low_rank
from samplar.sam.model import Sam

card = Card(
    name="samed-s",
    title="SAMed with LoRA instead of full training in the decoder's transformer",
    paper="Zhang and Liu 2023, arXiv 2304.13785",
    plugs_in="encoder, prompt encoder, decoder",
    licence_note="published code is MIT",
)

LR = SAMED_LR


class Config(AsSamed):
    """Low-rank placement, head and loss, as SAMed_s has them."""


def attach(sam: Sam, config: Config, classes: int) -> None:
    """LoRA on q and v in the encoder and in the decoder's seven attentions."""
    attach_low_rank(sam, config, classes, decoder_lora=True)


def loss(config: Config) -> LossConfig:
    """Return 0.2 CE + 0.8 Dice."""
    return config.loss
