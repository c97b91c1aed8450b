"""MA-SAM's decoder head: SAM's upscaling gone on with, up to the pixels of the image.

Source: Chen et al. 2023 (MA-SAM), arXiv 2309.08842, and its public code (Apache-2.0), from the text
of the specification.
"""

from __future__ import annotations

import copy
import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samplar.sam.layers import LayerNorm2d, Mlp
from samplar.sam.upscaling import Upscaling

OF_SAM = (0, 1, 3)
"""Layers of SAM's upscaling that the longer one begins with: both convolutions, and the norm."""


class PixelHead(nn.Module):
    """A token and a small network for every map, and features at the size of the image.

    Args:
        d: width of tokens and image.
        maps: how many, background included.
        cell: pixels of a cell of the embedding, 4, 8 or 16; each doubling halves the features, but
            for the first, which leaves a quarter.
        begin: SAM's upscaling, whose layers are copied.
    """

    def __init__(self, d: int, maps: int, *, cell: int, begin: Upscaling) -> None:
        super().__init__()
        doublings = cell.bit_length() - 1
        widths = [d, *(d >> power for power in range(2, doublings + 2))]
        layers: list[nn.Module] = []
        for before, here in itertools.pairwise(widths):
            layers += [nn.ConvTranspose2d(before, here, 2, stride=2), LayerNorm2d(here), nn.GELU()]
        del layers[-2]  # no norm after the last
        self.upscaling = nn.Sequential(*layers)
        for number in OF_SAM:
            self.upscaling[number] = copy.deepcopy(begin[number])
        self.tokens = nn.Embedding(maps, d)
        self.networks = nn.ModuleList(Mlp(d, d, widths[-1], depth=3) for _ in range(maps))
        self.quality = Mlp(d, d, maps, depth=3)  # in the published count; no loss reaches it

    def forward(
        self, told: Float[Tensor, "b t d"], image: Float[Tensor, "b d i j"]
    ) -> Float[Tensor, "b t u v"]:
        """Return a map for every token as the transformer left it."""
        features = self.upscaling(image)
        asked = [network(told[:, n]) for n, network in enumerate(self.networks)]
        return torch.einsum("btc,bcuv->btuv", torch.stack(asked, dim=1), features)
