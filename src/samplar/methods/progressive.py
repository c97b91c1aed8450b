"""MAS-SAM's head: a map made of four depths (hypermap), and masks from coarse to fine.

Source: Yan et al. 2024 (MAS-SAM, IJCAI), from the text of the specification: the published code has
no licence and was not used. Widths are shares of that of the embedding, d = 256 in SAM.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samplar.methods.dense_layers import enlarged, joined, normed_conv, stretched

Maps = list[Tensor]
"""Four maps (b, c, g, g), (b, c, 2g, 2g), (b, c, 4g, 4g), (b, c, 8g, 8g)."""


def widths_of(d: int) -> list[int]:
    """Return the channels at every level, the coarsest first."""
    return [d, d // 2, d // 4, d // 8]


class Hypermap(nn.Module):
    """Features of all depths in one map, from there to finer grids."""

    def __init__(self, depths: Sequence[int], d: int) -> None:
        super().__init__()
        self.each = nn.ModuleList(joined(width, d) for width in reversed(depths))
        self.whole = joined(len(depths) * d, d)
        self.finer = nn.ModuleList(enlarged(*pair) for pair in itertools.pairwise(widths_of(d)))

    def forward(self, features: Sequence[Tensor]) -> Maps:
        """Join features (b, c, g, g), the deepest first."""
        parts = [join(x) for join, x in zip(self.each, features, strict=True)]
        maps = [self.whole(torch.cat(parts, dim=1))]
        for enlarge in self.finer:
            maps.append(enlarge(maps[-1]))
        return maps


class Aligned(nn.Module):
    """The feature of each depth on the grid that it is needed on, the deepest on the coarsest."""

    def __init__(self, depths: Sequence[int], d: int) -> None:
        super().__init__()
        widths = widths_of(d)
        *earlier, last = depths
        chains = [[enlarged(last, d, factor=1)]]
        for level, width in enumerate(reversed(earlier), start=1):
            through = [width, *widths[1 : level + 1]]
            chains.append([enlarged(*pair) for pair in itertools.pairwise(through)])
        self.chains = nn.ModuleList(nn.Sequential(*chain) for chain in chains)

    def forward(self, features: Sequence[Tensor]) -> Maps:
        """Bring features (b, c, g, g), the deepest first, to their grids."""
        return [chain(x) for chain, x in zip(self.chains, features, strict=True)]


class ProgressiveHead(nn.Module):
    """Mask after mask, each finer, and a last one made of all of them.

    Args:
        depths: channels of the four features, the shallowest first.
        d: channels of the image that comes from SAM's decoder.
        classes: channels of every mask, background included.
    """

    def __init__(self, depths: Sequence[int], d: int, classes: int) -> None:
        super().__init__()
        widths = widths_of(d)
        first, *rest = widths
        self.hypermap = Hypermap(depths, d)
        self.aligned = Aligned(depths, d)
        into = [3 * first, *(before + 2 * here for before, here in itertools.pairwise(widths))]
        self.join = nn.ModuleList(joined(a, b) for a, b in zip(into, widths, strict=True))
        self.enlarge = nn.ModuleList(enlarged(width, width) for width in widths[:-1])
        finest = rest[-1]
        self.smooth = nn.ModuleList(
            normed_conv(width, finest, nn.GELU(), kernel=3) for width in widths[:-1]
        )
        self.masks = nn.ModuleList(nn.Conv2d(finest, classes, 1) for _ in widths)
        self.final = nn.Conv2d(len(widths) * classes, classes, 1)

    def forward(
        self, image: Float[Tensor, "b d g h"], features: Sequence[Tensor]
    ) -> tuple[Float[Tensor, "b k i j"], list[Tensor]]:
        """Return the final mask and the four before it, finest first, on a grid 8 times finer.

        Args:
            image: of SAM's two-way transformer.
            features: (b, c, g, h) each, the deepest first.
        """
        hyper, aligned = self.hypermap(features), self.aligned(features)
        x, joins = image, []
        for level, join in enumerate(self.join):
            x = join(torch.cat([x, aligned[level], hyper[level]], dim=1))
            joins.append(x)
            if level < len(self.enlarge):
                x = self.enlarge[level](x)
        size = (joins[-1].shape[-2], joins[-1].shape[-1])
        wide = [stretched(m, size, corners=True) for m in joins[:-1]]
        fine = [smooth(m) for smooth, m in zip(self.smooth, wide, strict=True)]
        masks = [mask(m) for mask, m in zip(self.masks, [*fine, joins[-1]], strict=True)]
        masks.reverse()
        return self.final(torch.cat(masks, dim=1)), masks
