"""Cheap Lunch: exemplar-guided synthesis and LoRA in encoder and decoder, CE + 0.8 Dice.

Source: Feng, Zhu, Yu 2023, arXiv 2308.14133. The synthesis half is `samplar.synthesis`, on by
default for every method that trains; this file is the model half. The paper's "6.32M" equals the
size of SAMed_s's checkpoint, from which the placement of LoRA is inferred.
"""

from __future__ import annotations

from samplar.config.loss import LossConfig
from samplar.methods.contract import Card
from samplar.methods.low_rank import SAMED_LR, LowRank, attach_low_rank
from samplar.sam.model import Sam

card = Card(
    name="cheap-lunch",
    title="Exemplar-guided synthesis with LoRA in the encoder and the decoder",
    paper="Feng, Zhu, Yu 2023, arXiv 2308.14133",
    plugs_in="data, encoder, prompt encoder, decoder",
    prompts="none",
    licence_note="no code was published",
)

LR = SAMED_LR


class Config(LowRank):
    """Low-rank placement and loss."""

    loss: LossConfig = LossConfig(ce=1.0, dice=0.8)


def attach(sam: Sam, config: Config, classes: int) -> None:
    """LoRA on q and v of the chosen encoder blocks and of the decoder's seven attentions."""
    attach_low_rank(sam, config, classes, decoder_lora=True)


def loss(config: Config) -> LossConfig:
    """Return CE + 0.8 Dice."""
    return config.loss
