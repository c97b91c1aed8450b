"""Train SAM's decoder on frozen embeddings: the cheapest fine-tuning there is."""

from __future__ import annotations

from samplar.config.base import Strict
from samplar.config.loss import LossConfig
from samplar.methods.contract import Card
from samplar.methods.head import HeadInit, set_class_tokens, train_decoder
from samplar.sam.model import Sam

card = Card(
    name="decoder-only",
    title="The whole decoder trained on frozen image embeddings",
    paper="this library",
    plugs_in="decoder",
    licence_note="ours",
)


class Config(Strict):
    """How the head starts and what it is trained with."""

    head_init: HeadInit = "sam"
    loss: LossConfig = LossConfig()


def attach(sam: Sam, config: Config, classes: int) -> None:
    """Give the decoder class tokens and train all of it."""
    set_class_tokens(sam, classes, init=config.head_init)
    train_decoder(sam, transformer=True)


def loss(config: Config) -> LossConfig:
    """Return the configured loss."""
    return config.loss
