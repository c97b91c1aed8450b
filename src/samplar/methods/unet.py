"""A U-Net from scratch: what a user would train who has no SAM.

The network is nnU-Net's, from MONAI. The loss is nnU-Net's CE + Dice, without its deep
supervision. Augmentation is the library's own of whole exemplars: moved, bent and re-toned, and
nothing pasted. SAM is there for its frame alone; its encoder is never run.
"""

from __future__ import annotations

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from samplar.config.base import Strict
from samplar.config.loss import LossConfig
from samplar.methods.contract import Batch, Card, Memory
from samplar.methods.task_network import FROM_SCRATCH, make_network, run_network
from samplar.sam.model import Sam

card = Card(
    name="unet",
    title="A U-Net trained from scratch, without SAM",
    paper="Isensee et al. 2021, Nature Methods 18; MONAI's DynUNet",
    plugs_in="instead of SAM",
    prompts="none",
    licence_note="MONAI is Apache-2.0",
)

EMBEDS = False
FIT = FROM_SCRATCH


class Config(Strict):
    """Size of the network, and the loss."""

    width: int = Field(default=16, ge=4, le=128)
    """Channels at full resolution; twice as many on each level below, up to 256."""
    levels: int = Field(default=6, ge=3, le=8)
    """Resolutions; each has half the one before. With 6, a bottom cell spans 32 pixels."""
    loss: LossConfig = LossConfig(ce=1.0, dice=1.0)


def attach(sam: Sam, config: Config, classes: int) -> None:
    """Put the network beside SAM, all of which stays frozen.

    Raises:
        UsageError: `methods.extra` without MONAI.
    """
    made = make_network(
        "unet",
        method=card.name,
        inputs=3,
        outputs=classes + 1,
        width=config.width,
        levels=config.levels,
    )
    sam.add_module("unet", made.eval().to(sam.device))


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k s s"]:
    """Segment the images."""
    return run_network(sam.get_submodule("unet"), batch.images, levels=config.levels)


def loss(config: Config) -> LossConfig:
    """Return the configured loss."""
    return config.loss
