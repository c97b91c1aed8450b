"""MDSAM's detail head: the decoder's features, a deeper look at the embedding, and the image.

Source: Gao et al. 2024 (MDSAM), arXiv 2408.04326, from the text of the specification: the published
code has no licence and was not used.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from samplar.methods.dense_layers import normed_conv, stretched
from samplar.sam.layers import Mlp

WIDE, WIDTH, NARROW = 64, 32, 16
"""Channels, as published, of what is enlarged, of features at the image's size, and of edges."""

TURNS = 3
"""How often the image's features are blurred and compared with what they were."""


class CoarseMasks(nn.Module):
    """One token and one small network for every foreground class; the product with the features.

    Args:
        d: width of a token.
        classes: foreground classes.
        legacy: networks see the learnt tokens, as in the published code by mistake; without, what
            the transformer made of them.
    """

    def __init__(self, d: int, classes: int, *, legacy: bool) -> None:
        super().__init__()
        self.tokens = nn.Embedding(classes, d)
        self.networks = nn.ModuleList(Mlp(d, d, d // 8, depth=3) for _ in range(classes))
        self.legacy = legacy

    def forward(
        self, told: Float[Tensor, "b t d"], features: Float[Tensor, "b c u v"]
    ) -> Float[Tensor, "b t u v"]:
        """Return a mask for every token that the transformer has told about the images."""
        if self.legacy:
            told = self.tokens.weight.expand(len(told), -1, -1)
        asked = [network(told[:, n]) for n, network in enumerate(self.networks)]
        return torch.einsum("btc,bcuv->btuv", torch.stack(asked, dim=1), features)


class DeepBranch(nn.Module):
    """The last level, enlarged four times in two steps.

    `masks` is a head that the published code has and does not use.
    """

    def __init__(self, d: int, classes: int) -> None:
        super().__init__()
        self.first = normed_conv(d, WIDE, nn.ReLU(), kernel=3)
        self.second = normed_conv(WIDE, WIDTH, nn.ReLU(), kernel=3)
        self.masks = mask_head(classes)

    def forward(self, level: Float[Tensor, "b d i j"]) -> Float[Tensor, "b c u v"]:
        """Return features on a grid four times finer."""
        height, width = level.shape[-2:]
        x = self.first(stretched(level, (2 * height, 2 * width)))
        return self.second(stretched(x, (4 * height, 4 * width)))


class Edges(nn.Module):
    """Features of the image with what blurring takes away from them, three times over (MEEM)."""

    def __init__(self) -> None:
        super().__init__()
        self.start = normed_conv(WIDTH, NARROW, nn.Sigmoid())
        self.blurred, self.sharp = (
            nn.ModuleList(normed_conv(NARROW, NARROW, nn.Sigmoid()) for _ in range(TURNS))
            for _ in range(2)
        )
        self.end = normed_conv((TURNS + 1) * NARROW, WIDTH, nn.ReLU())

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return as many features."""
        m = self.start(x)
        found = [m]
        for blur, sharpen in zip(self.blurred, self.sharp, strict=True):
            m = blur(_mean(m))
            found.append(m + sharpen(m - _mean(m)))
        return self.end(torch.cat(found, dim=1))


def _mean(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Average 3 x 3 pixels; beyond the border there are zeros."""
    return F.avg_pool2d(x, 3, stride=1, padding=1)


def mask_head(classes: int) -> nn.Sequential:
    """Return the last layers before logits, one channel a class."""
    first = normed_conv(WIDTH, NARROW, nn.ReLU(), kernel=3)
    return nn.Sequential(first, nn.Conv2d(NARROW, classes, 1))


class DetailHead(nn.Module):
    """Logits at the size of the image.

    Args:
        features: channels of what comes from SAM's decoder, 32 in SAM.
        classes: foreground classes.
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.both = normed_conv(features + WIDTH, WIDTH, nn.ReLU(), kernel=3)
        self.finer = nn.ModuleList(normed_conv(WIDTH, WIDTH, nn.ReLU(), kernel=3) for _ in range(2))
        self.image = normed_conv(3, WIDTH, nn.ReLU(), kernel=3)
        self.edges = Edges()
        self.join = normed_conv(2 * WIDTH, WIDTH, nn.ReLU(), kernel=3)
        self.masks = mask_head(classes)

    def forward(
        self,
        features: Float[Tensor, "b c u v"],
        deep: Float[Tensor, "b d u v"],
        image: Float[Tensor, "b 3 h w"],
    ) -> Float[Tensor, "b t h w"]:
        """Bring the features to the image's size in two steps, and add its details."""
        x = self.both(torch.cat([features, deep], dim=1))
        height, width = image.shape[-2:]
        half = max(height // 2, x.shape[-2]), max(width // 2, x.shape[-1])
        for refine, size in zip(self.finer, (half, (height, width)), strict=True):
            x = refine(stretched(x, size))
        shown = self.image(image)
        return self.masks(self.join(torch.cat([x, self.edges(shown) + shown], dim=1)))
