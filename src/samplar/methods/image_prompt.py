"""From an image to the dense map that SAM's decoder is given in place of a mask prompt.

Source: Shaharabany et al. 2023, arXiv 2306.06370, and a description of its code, which has no
licence: nothing of it was used. Assumed: pictures between two resolutions are aligned by the edges
of their pixels; and the norm that the published count holds beyond those described is the last.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from samplar.methods.hardnet import HardNet, HardNetShape
from samplar.methods.image_norm import image_norm
from samplar.sam.pixels import SAM_PIXELS, PixelScale

SMALLEST = 32
"""Pixels on a side of what the network is given at least: two cells of its coarsest features."""


class Up(nn.Module):
    """Coarse features brought to the grid of finer ones, and both made into one map."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(coarse + fine, fine, 3, padding=1),
            nn.Conv2d(fine, fine, 3, padding=1),
            image_norm(fine),
            nn.LeakyReLU(0.01),
        )

    def forward(
        self, coarse: Float[Tensor, "b c h w"], fine: Float[Tensor, "b d i j"]
    ) -> Float[Tensor, "b d i j"]:
        """Combine."""
        size = (fine.shape[-2], fine.shape[-1])
        larger = F.interpolate(coarse, size, mode="bilinear", align_corners=False)
        return self.layers(torch.cat([larger, fine], dim=1))


class ImagePrompt(nn.Module):
    """HarDNet and a small decoder: an image to maps with values in (-1, 1).

    Args:
        shape: HarDNet's.
        width: channels of a map.
        maps: how many maps, one after another along the channels.
        side: pixels on a side of what HarDNet is given; None: those of the image.
    """

    def __init__(self, shape: HardNetShape, width: int, *, maps: int, side: int | None) -> None:
        super().__init__()
        self.side = side
        self.scale = PixelScale(SAM_PIXELS)
        self.backbone = HardNet(shape)
        fine, middle, coarse = self.backbone.widths
        self.up = nn.ModuleList([Up(coarse, middle), Up(middle, fine)])
        self.last = nn.Sequential(
            nn.Conv2d(fine, width, 3, padding=1),
            image_norm(width),
            nn.ReLU(),
            nn.Conv2d(width, maps * width, 3, padding=1),
            image_norm(maps * width),
            nn.Tanh(),
        )

    def forward(
        self, images: Float[Tensor, "b 3 h w"], grid: tuple[int, int]
    ) -> Float[Tensor, "b d i j"]:
        """Return the maps on `grid` for images in [0, 1]."""
        side = self.side or max(SMALLEST, *images.shape[-2:])
        seen = _at(self.scale(images), (side, side))
        fine, middle, coarse = self.backbone(seen)
        to_middle, to_fine = self.up
        return _at(self.last(to_fine(to_middle(coarse, middle), fine)), grid)


def _at(x: Float[Tensor, "b c h w"], size: tuple[int, int]) -> Float[Tensor, "b c i j"]:
    """Resize as the source does, corners on corners."""
    if tuple(x.shape[-2:]) == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=True)
