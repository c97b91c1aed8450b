"""A U-Net from scratch: what a user would train who has no SAM.

The network is nnU-Net's, from MONAI. The loss is nnU-Net's CE + Dice, without its deep
supervision. Augmentation is the library's own of whole exemplars: moved, bent and re-toned, and
nothing pasted. SAM is there for its frame alone; its encoder is never run.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from samplar.config.loss import LossConfig
from samplar.methods.contract import Batch, Card, Memory
from samplar.methods.task_network import FROM_SCRATCH, Shape, make_network, run_network
from samplar.sam.model import Sam

card = Card(
    name="unet",
    title="A U-Net trained from scratch, without SAM",
    paper="Isensee et al. 2021, Nature Methods 18; MONAI's DynUNet",
    plugs_in="instead of SAM",
    licence_note="MONAI is Apache-2.0",
)

EMBEDS = False
FIT = FROM_SCRATCH


class Config(Shape):
    """Size of the network, and the loss."""


def attach(sam: Sam, config: Config, classes: int) -> None:
    """Put the network beside SAM, all of which stays frozen.

    Raises:
        UsageError: `methods.extra` without MONAI.
    """
    made = make_network("unet", config, method=card.name, inputs=3, outputs=classes + 1)
    sam.add_module("unet", made.eval().to(sam.device))


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k s s"]:
    """Segment the images."""
    return run_network(sam.get_submodule("unet"), batch.images, levels=config.levels)


def loss(config: Config) -> LossConfig:
    """Return the configured loss."""
    return config.loss
