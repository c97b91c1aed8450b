"""A U-Net from scratch: what a user would train who has no SAM.

The network is MONAI's `DynUNet`, nnU-Net's (Isensee et al. 2021, Nature Methods 18, 203-211):
two 3 x 3 convolutions a level, each with instance norm and leaky ReLU. Instance norm looks at one
image at a time, so batches may be small. The loss is nnU-Net's CE + Dice, without its deep
supervision. Augmentation is the library's own of whole exemplars: moved, bent and re-toned, and
nothing pasted. SAM is there for its frame alone; its encoder is never run.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from samplar.config.base import Strict
from samplar.config.loss import LossConfig
from samplar.errors import UsageError
from samplar.methods.contract import Batch, Card, Memory
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
FIT = {
    "synthesis": {"mix": {"exemplar": 0.05, "whole": 0.95, "group": 0.0, "organs": 0.0}},
    "training": {"iterations": 600, "pool": 600, "lr": 1e-3},
}
WIDEST = 256


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
    sam.add_module("unet", _network(config, classes).eval().to(sam.device))


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k s s"]:
    """Segment the images, padded to what the network can halve so often."""
    height, width = batch.images.shape[-2:]
    beyond = (0, _missing(width, config), 0, _missing(height, config))
    found = sam.get_submodule("unet")(F.pad(batch.images, beyond))
    return found[..., :height, :width]


def loss(config: Config) -> LossConfig:
    """Return the configured loss."""
    return config.loss


def _missing(side: int, config: Config) -> int:
    """Return how many pixels a side lacks; the bottom has two cells at least, for its norm."""
    step = 2 ** (config.levels - 1)
    return max(-side % step, 2 * step - side)


def _network(config: Config, classes: int) -> nn.Sequential:
    try:
        from monai.networks.nets.dynunet import DynUNet
    except ImportError as error:
        raise UsageError(
            "unet is built with the package monai, which is not installed",
            fix="Run `python -m pip install 'samplar[unet]'`",
            code="methods.extra",
        ) from error
    halvings = config.levels - 1
    made = DynUNet(
        spatial_dims=2,
        in_channels=3,
        out_channels=classes + 1,
        kernel_size=[3] * config.levels,
        strides=[1] + [2] * halvings,
        upsample_kernel_size=[2] * halvings,
        filters=[min(config.width * 2**level, WIDEST) for level in range(config.levels)],
    )
    # All that it runs: the module itself has each of its layers under a second name as well.
    return nn.Sequential(made.skip_layers, made.output_block)
