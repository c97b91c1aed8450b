"""SAM-Med2D's adapter: a gate on the channels, then a look at the neighbourhood at half the size.

Source: Cheng et al. 2023, arXiv 2308.16184, section 3.2, and the public code (Apache-2.0), with
its parameter names.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from samplar.methods.bottleneck import Start

NARROWER = 4


class ConvAdapter(nn.Module):
    """Norm(u + deconvolution(convolution(gate u))), ReLU after both.

    No layer but the norm has a bias. With the start `zero` the norm's weight is 0, and so is what
    comes out.
    """

    def __init__(self, width: int, *, start: Start) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.channel = nn.Sequential(
            nn.Linear(width, width // NARROWER, bias=False),
            nn.ReLU(),
            nn.Linear(width // NARROWER, width, bias=False),
            nn.Sigmoid(),
        )
        self.spatial = nn.Sequential(
            nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False),
            nn.ReLU(),
            nn.ConvTranspose2d(width, width, 4, stride=2, padding=1, bias=False),
            nn.ReLU(),
        )
        for layer in (*self.channel, *self.spatial):
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        if start == "zero":
            nn.init.zeros_(self.norm.weight)

    def forward(self, x: Float[Tensor, "b h w c"]) -> Float[Tensor, "b h w c"]:
        """Apply to a whole grid; one with an odd side is looked at with a row of zeros more."""
        height, width = x.shape[1], x.shape[2]
        gate = self.channel(x.mean(dim=(1, 2)))[:, None, None]
        around = self.spatial((gate * x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.norm(x + around[:, :height, :width])
