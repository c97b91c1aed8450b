"""A convolutional head that turns SAM's embedding into classes without SAM's decoder.

Source: Hu, Xu, Shi 2023, arXiv 2306.13731, section 3, and the public code (Apache-2.0).
"""

from __future__ import annotations

from torch import nn

STAGES = 4
FLAT = 2
"""Stages that keep the grid; each of the others doubles it."""


class ClassCnn(nn.Sequential):
    """From (b, d, i, j) to (b, classes, 4 i, 4 j).

    It widens four times (256 to 1024 for SAM), and each of four stages halves the channels again.
    Every convolution but the last two and the transposed ones is followed by ReLU.
    """

    def __init__(self, width: int, classes: int) -> None:
        wide = 4 * width
        stages = [_stage(wide >> n, doubles=n >= FLAT) for n in range(STAGES)]
        top = wide >> STAGES
        super().__init__(
            nn.Conv2d(width, wide, 1),
            nn.ReLU(),
            nn.Conv2d(wide, wide, 1),
            nn.ReLU(),
            *stages,
            nn.Conv2d(top, top, 3, padding=1),
            nn.Conv2d(top, classes, 1),
        )


def _stage(width: int, *, doubles: bool) -> nn.Sequential:
    second = width if doubles else width // 2
    layers = [
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, second, 3, padding=1),
        nn.ReLU(),
    ]
    finer = [nn.ConvTranspose2d(width, width // 2, 2, stride=2)] if doubles else []
    return nn.Sequential(*layers, *finer)
