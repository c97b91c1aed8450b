"""SAMed_s: SAMed with the two-way transformer frozen and LoRA on its q and v projections.

Source: Zhang and Liu 2023, arXiv 2304.13785, table 3, and its public code (MIT).
"""

from __future__ import annotations

from samplar.config.loss import LossConfig
from samplar.methods.contract import Card
from samplar.methods.head import HeadInit
from samplar.methods.low_rank import LowRank, attach_low_rank
from samplar.sam.model import Sam

card = Card(
    name="samed-s",
    title="SAMed with LoRA instead of full training in the decoder's transformer",
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
    """LoRA on q and v in the encoder and in the decoder's seven attentions."""
    attach_low_rank(sam, config, classes, decoder_lora=True)


def loss(config: Config) -> LossConfig:
    """Return 0.2 CE + 0.8 Dice."""
    return config.loss
