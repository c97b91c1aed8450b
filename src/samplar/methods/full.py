"""Full fine-tuning: the image encoder, or its last stages, train with the decoder, but slower.

Batch norms of a TinyViT keep their running statistics, and train their scale and shift. The
statistics of a batch of a few slices made from a few exemplars are those of these slices, and would
differ from what prediction, slice by slice, uses. Frozen, they make each norm a fixed affine map:
an image's result does not depend on its batch, and a merged model is a plain SAM.

Source of the decay from layer to layer: Bao et al. 2021 (BEiT), arXiv 2106.08254, appendix.
"""

from __future__ import annotations

from pydantic import Field

from samplar.config.base import Strict
from samplar.config.loss import LossConfig
from samplar.methods.contract import Card
from samplar.methods.head import HeadInit, set_class_tokens, train_decoder
from samplar.sam.model import Sam
from samplar.sam.sites import last_steps

card = Card(
    name="full",
    title="The whole SAM trained: the encoder slowly, or its last stages only, and the decoder",
    paper="this library",
    plugs_in="encoder, decoder",
    licence_note="ours",
)


class Config(Strict):
    """How much of the encoder trains and how fast, how the head starts, and the loss."""

    depth: int | None = Field(default=None, ge=0)
    """Stages of a TinyViT, or blocks of a ViT, that train, counted from the end, with the neck;
    none: the whole encoder. What comes before them is in the frozen prefix."""
    encoder_rate: float = Field(default=0.2, gt=0, le=1)
    """Learning rate of the neck, as a share of the decoder's."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Rate of each step of the encoder, as a share of the rate of the step after it."""
    head_init: HeadInit = "sam"
    loss: LossConfig = LossConfig()


def attach(sam: Sam, config: Config, classes: int) -> None:
    """Give the decoder class tokens; train it, and the chosen part of the encoder."""
    set_class_tokens(sam, classes, init=config.head_init)
    train_decoder(sam, transformer=True)
    for step in last_steps(sam, config.depth):
        step.requires_grad_(True)


def rates(sam: Sam, config: Config) -> dict[str, float]:
    """Return the encoder's relative rates: less from step to step, from the neck to the image."""
    names = {id(parameter): name for name, parameter in sam.named_parameters()}
    return {
        names[id(parameter)]: config.encoder_rate * config.layer_decay**distance
        for distance, step in enumerate(reversed(last_steps(sam, config.depth)))
        for parameter in step.parameters()
    }


def loss(config: Config) -> LossConfig:
    """Return the configured loss."""
    return config.loss
