"""FacT: low-rank increments of q and v whose outer factors all layers share (tensor train).

Source: Jie and Deng 2023 (FacT), as used by Chen et al. 2023 (MA-SAM), arXiv 2309.08842, from the
text of the specification: q += s V S_q U x, v += s V S_v U x, with V zero at the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samplar.sam.model import Sam
from samplar.sam.sites import LinearSite, replace_module
from samplar.sam.unfilled import built_on


class Factors(nn.Module):
    """U and V, which the layers of one width share."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width, bias=False)
        nn.init.zeros_(self.up.weight)


class FactLinear(nn.Module):
    """A frozen linear layer plus, on chosen rows of its output, s V S U x with an S for each part.

    The shared factors are registered where they belong, once, and only referred to here: they have
    one name, and are saved once.
    """

    def __init__(
        self,
        base: nn.Linear,
        site: LinearSite,
        parts: Sequence[str],
        *,
        factors: Factors,
        scale: float,
    ) -> None:
        super().__init__()
        self.base = base
        self.parts = tuple(parts)
        self.scale = scale
        self.shared = (factors,)  # in a tuple it is no submodule
        rank = factors.down.out_features
        self.core = nn.ModuleDict({part: nn.Linear(rank, rank, bias=False) for part in parts})
        for part in self.parts:
            rows = site.rows[part].to(base.weight.device)
            self.register_buffer(f"rows_{part}", rows, persistent=False)

    def forward(self, x: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """Return W x + b and the increments."""
        (factors,) = self.shared
        out, low = self.base(x), factors.down(x)
        for part in self.parts:
            more = self.scale * factors.up(self.core[part](low))
            out = torch.index_add(out, -1, self.get_buffer(f"rows_{part}"), more.to(out.dtype))
        return out


def add_fact(
    sam: Sam, sites: Iterable[LinearSite], *, parts: Sequence[str], rank: int, scale: float
) -> None:
    """Wrap the linear layer at each site of the image encoder.

    The factors are `image_encoder.fact`, one pair for every width: a ViT has one, a TinyViT one for
    each of its resolutions.
    """
    shared = nn.ModuleDict()
    sam.image_encoder.add_module("fact", shared)
    for site in sites:
        layer = sam.get_submodule(site.name)
        if not isinstance(layer, nn.Linear):
            raise TypeError(f"{site.name} is a {type(layer).__name__}, already adapted?")
        width = layer.in_features
        if str(width) not in shared:
            shared[str(width)] = built_on(sam.device, partial(Factors, width, rank))
        factors = shared[str(width)]
        if not isinstance(factors, Factors):
            raise TypeError("only factors are put here")
        make = partial(FactLinear, layer, site, parts, factors=factors, scale=scale)
        replace_module(sam, site.name, built_on(sam.device, make))
