"""Segmentation networks without SAM, of the kinds a user would train from scratch.

`unet` is MONAI's `DynUNet`, nnU-Net's (Isensee et al. 2021, Nature Methods 18, 203-211): two 3 x 3
convolutions a level, each with instance norm and leaky ReLU. `segresnet` is MONAI's (Myronenko
2018, arXiv 1810.11654): residual blocks, joined by addition. Instance norm looks at one image at a
time, so batches may be small, and no statistics are kept.
"""

from __future__ import annotations

from typing import Any, Literal

import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from samplar.config.base import Strict
from samplar.config.loss import LossConfig
from samplar.errors import UsageError

Kind = Literal["unet", "segresnet"]

WIDEST = 256

FROM_SCRATCH: dict[str, dict[str, Any]] = {
    "synthesis": {"mix": {"exemplar": 0.05, "whole": 0.95, "group": 0.0, "organs": 0.0}},
    "training": {"iterations": 600, "pool": 600, "lr": 1e-3},
}
"""Settings of a fit for such networks: a long run, on whole exemplars with nothing pasted."""


class Shape(Strict):
    """How large such a network is, and what it is trained with."""

    width: int = Field(default=16, ge=4, le=128)
    """Channels at full resolution; twice as many on each level below, up to 256 in a U-Net."""
    levels: int = Field(default=6, ge=3, le=8)
    """Resolutions; each has half the one before. With 6, a bottom cell spans 32 pixels."""
    loss: LossConfig = LossConfig(ce=1.0, dice=1.0)


def make_network(kind: Kind, shape: Shape, *, method: str, inputs: int, outputs: int) -> nn.Module:
    """Build a network from images (b, inputs, h, w) to logits (b, outputs, h, w).

    Args:
        kind: which.
        shape: its width and levels.
        method: named in the error.
        inputs: channels.
        outputs: classes with background.

    Raises:
        UsageError: `methods.extra` without MONAI.
    """
    make = _unet if kind == "unet" else _segresnet
    try:
        return make(inputs, outputs, shape.width, shape.levels)
    except ImportError as error:
        raise UsageError(
            f"{method} is built with the package monai, which is not installed",
            fix="Run `python -m pip install 'samplar[unet]'`",
            code="methods.extra",
        ) from error


def run_network(
    network: nn.Module, images: Float[Tensor, "b c h w"], *, levels: int
) -> Float[Tensor, "b k h w"]:
    """Segment images, padded to what a network of so many levels can halve."""
    height, width = images.shape[-2:]
    beyond = (0, _missing(width, levels), 0, _missing(height, levels))
    found: Tensor = network(F.pad(images, beyond))
    return found[..., :height, :width]


def _missing(side: int, levels: int) -> int:
    """Return how many pixels a side lacks; the bottom has two cells at least, for its norm."""
    step = 2 ** (levels - 1)
    return max(-side % step, 2 * step - side)


def _unet(inputs: int, outputs: int, width: int, levels: int) -> nn.Module:
    from monai.networks.nets.dynunet import DynUNet

    halvings = levels - 1
    made = DynUNet(
        spatial_dims=2,
        in_channels=inputs,
        out_channels=outputs,
        kernel_size=[3] * levels,
        strides=[1] + [2] * halvings,
        upsample_kernel_size=[2] * halvings,
        filters=[min(width * 2**level, WIDEST) for level in range(levels)],
    )
    # All that it runs: the module itself has each of its layers under a second name as well.
    return nn.Sequential(made.skip_layers, made.output_block)


def _segresnet(inputs: int, outputs: int, width: int, levels: int) -> nn.Module:
    from monai.networks.nets.segresnet import SegResNet

    return SegResNet(
        spatial_dims=2,
        init_filters=width,
        in_channels=inputs,
        out_channels=outputs,
        norm=("INSTANCE", {"affine": True}),
        blocks_down=(1,) + (2,) * (levels - 1),
        blocks_up=(1,) * (levels - 1),
    )
