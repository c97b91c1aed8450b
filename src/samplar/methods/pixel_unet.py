"""A U-Net that sees the pixels: nnU-Net's network in 2D, small enough to be trained beside SAM.

Source: Isensee et al. 2021, Nature Methods 18, 203-211, as MONAI's `DynUNet` has it: the same layer
for layer, which a test holds it to. It stands here because the default method may need no extra.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

WIDEST = 256
SLOPE = 0.01
"""Of the activations below zero."""


class PixelUNet(nn.Module):
    """Halve the grid `levels - 1` times and come back, with a skip at every level.

    Args:
        inputs: channels of an image.
        outputs: classes with background.
        width: channels at full resolution; twice as many on each level below, up to 256.
        levels: resolutions.
    """

    def __init__(self, inputs: int, outputs: int, *, width: int, levels: int) -> None:
        super().__init__()
        widths = [min(width << level, WIDEST) for level in range(levels)]
        self.down = nn.ModuleList(
            two_convs(before, here, stride=1 if level == 0 else 2)
            for level, (before, here) in enumerate(zip([inputs, *widths], widths, strict=False))
        )
        above = list(zip(widths[-2::-1], widths[:0:-1], strict=True))  # from the bottom upwards
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(below, here, 2, stride=2, bias=False) for here, below in above
        )
        self.join = nn.ModuleList(two_convs(2 * here, here) for here, _ in above)
        self.masks = nn.Conv2d(width, outputs, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(layer.weight, a=SLOPE)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k h w"]:
        """Return logits; sides are multiples of 2^(levels - 1) and two cells at the bottom."""
        skips = []
        for convs in self.down:
            x = convs(x)
            skips.append(x)
        for grow, join, skip in zip(self.grow, self.join, skips[-2::-1], strict=True):
            x = join(torch.cat([grow(x), skip], dim=1))
        return self.masks(x)


def two_convs(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    """Return two 3 x 3 convolutions, each with instance norm and leaky ReLU."""
    layers: list[nn.Module] = []
    for before, step in ((inputs, stride), (outputs, 1)):
        layers += [
            nn.Conv2d(before, outputs, 3, stride=step, padding=1, bias=False),
            nn.InstanceNorm2d(outputs, affine=True),
            nn.LeakyReLU(SLOPE, inplace=True),
        ]
    return nn.Sequential(*layers)
