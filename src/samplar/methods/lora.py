"""Low-rank adaptation of a linear layer, on chosen rows of its output.

Source: Hu et al. 2021 (LoRA); Zhang and Liu 2023 (SAMed) for q and v of a fused projection:
h = W x + B A x, A Kaiming-uniform with a = sqrt(5), B zero, no scale, no dropout.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from samplar.sam.model import Sam
from samplar.sam.sites import LinearSite, replace_module


class LoraLinear(nn.Module):
    """A frozen linear layer plus one low-rank path for each named group of its output rows."""

    def __init__(self, base: nn.Linear, site: LinearSite, parts: Sequence[str], rank: int) -> None:
        super().__init__()
        self.base = base
        self.parts = tuple(parts)
        self.a = nn.ParameterDict()
        self.b = nn.ParameterDict()
        for part in self.parts:
            rows = site.rows[part].to(base.weight.device)
            down = base.weight.new_empty(rank, base.in_features)
            nn.init.kaiming_uniform_(down, a=math.sqrt(5))
            self.a[part] = nn.Parameter(down)
            self.b[part] = nn.Parameter(base.weight.new_zeros(len(rows), rank))
            self.register_buffer(f"rows_{part}", rows, persistent=False)

    def stacked(self) -> tuple[Float[Tensor, "r i"], Float[Tensor, "o r"]]:
        """Return one pair (A, B) equal to all parts: A stacked, B block by block in its rows."""
        down = torch.cat([self.a[part] for part in self.parts])
        blocks = [self._placed(part) for part in self.parts]
        return down, torch.cat(blocks, dim=1)

    def _placed(self, part: str) -> Float[Tensor, "o r"]:
        up = self.b[part]
        empty = up.new_zeros(self.base.out_features, up.shape[1])
        return empty.index_copy(0, self.get_buffer(f"rows_{part}"), up)

    def forward(self, x: Float[Tensor, "*b i"]) -> Float[Tensor, "*b o"]:
        """Return W x + b + B A x."""
        down, up = self.stacked()
        rows = x.flatten(0, -2) if x.dim() > 1 else x[None]
        out, low = self.base(rows), F.linear(rows, down)
        # in place: nothing on the way back needs the frozen layer's own output; and contiguous,
        # which decides in which order the gradient of `up` is multiplied: a quarter of the time
        return out.addmm_(low, up.T.contiguous().to(out.dtype)).view(*x.shape[:-1], -1)

    def affine(self) -> tuple[Float[Tensor, "o i"], Float[Tensor, " o"]]:
        """Return the weight W + B A and the bias, with their gradients."""
        down, up = self.stacked()
        return self.base.weight + up @ down, self.base.bias

    def merged(self) -> nn.Linear:
        """Return a plain linear layer that computes the same."""
        down, up = self.stacked()
        plain = nn.Linear(self.base.in_features, self.base.out_features)
        weight = self.base.weight.double() + up.double() @ down.double()  # rounded once
        plain.weight = nn.Parameter(weight.to(self.base.weight.dtype).detach())
        plain.bias = nn.Parameter(self.base.bias.detach().clone())
        return plain


def add_lora(sam: Sam, sites: Iterable[LinearSite], *, parts: Sequence[str], rank: int) -> None:
    """Wrap the linear layer at each site; `parts` that a site lacks are left out there."""
    for site in sites:
        layer = sam.get_submodule(site.name)
        if not isinstance(layer, nn.Linear):
            raise TypeError(f"{site.name} is a {type(layer).__name__}, already adapted?")
        here = [part for part in parts if part in site.rows]
        replace_module(sam, site.name, LoraLinear(layer, site, here, rank))


def remove_lora(sam: Sam, *, merge: bool) -> None:
    """Put plain linear layers back: the base layers, or with `merge` the adapted ones."""
    for name, module in list(sam.named_modules()):
        if isinstance(module, LoraLinear):
            replace_module(sam, name, module.merged() if merge else module.base)
