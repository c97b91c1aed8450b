"""What the encoder was trained to see: how an image in [0, 1] becomes its input."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class PixelRule:
    """Subtract `mean` from each channel of an image in [0, 1], then divide by `std`."""

    mean: Colour = (0.0, 0.0, 0.0)
    std: Colour = (1.0, 1.0, 1.0)


UNIT = PixelRule()
"""[0, 1] as it is: MedSAM, LiteMedSAM, and methods trained that way on SAM's weights (SAMed)."""

SAM_PIXELS = PixelRule(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""SAM's own: means 123.675, 116.28, 103.53 and deviations 58.395, 57.12, 57.375 of 0..255."""


class PixelScale(nn.Module):
    """Apply a rule; the encoder's first step wherever the rule changes anything."""

    mean: Tensor
    std: Tensor

    def __init__(self, rule: PixelRule) -> None:
        super().__init__()
        self.rule = rule
        # on the CPU even while a model without numbers is built: these are not in any checkpoint
        for name, colour in (("mean", rule.mean), ("std", rule.std)):
            value = torch.tensor(colour, device="cpu").view(3, 1, 1)
            self.register_buffer(name, value, persistent=False)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Return the encoder's input for an image in [0, 1]."""
        return (x - self.mean) / self.std
