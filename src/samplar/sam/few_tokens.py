"""Attention between the many cells of an image and a few tokens, without projecting the cells.

SAM's decoder projects every cell of the embedding to keys, values or queries, and compares them
with five or ten tokens. A product can be taken in any order: where `few` is a token's query and
W x + b the key of a cell x, few . (W x + b) = (W' few) . x + few . b. Projecting the tokens back
through the layer instead of the cells through it gives the same scores from `tokens * heads`
columns instead of `inner`. The same holds for what tokens read of the cells, and for what cells
are told by the tokens. Equal to the plain form but for rounding: tests/unit/sam/test_few_tokens.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class Affine:
    """What a layer computes: weight (o, i) and bias (o)."""

    weight: Tensor
    bias: Tensor


@runtime_checkable
class HasAffine(Protocol):
    """A layer of another kind, such as one with a low-rank path, that knows what it amounts to."""

    def affine(self) -> tuple[Tensor, Tensor]:
        """Return weight (o, i) and bias (o) of the linear layer that computes the same."""
        ...


def affine_of(layer: nn.Module) -> Affine | None:
    """Return what the layer computes if that is known to be W x + b, else None.

    A layer with hooks is not taken apart: they would not be called.
    """
    if layer._forward_hooks or layer._forward_pre_hooks:
        return None
    if isinstance(layer, HasAffine):
        return Affine(*layer.affine())
    if type(layer) is nn.Linear and layer.bias is not None:
        return Affine(layer.weight, layer.bias)
    return None


def pays(few: int, many: int, *, heads: int, inner: int) -> bool:
    """Say whether the cells are better left unprojected: fewer multiplications per channel."""
    return few * inner + many * few * heads < many * inner


def compare(
    few: Float[Tensor, "b h n e"], many: Float[Tensor, "b m d"], layer: Affine
) -> Float[Tensor, "b h n m"]:
    """Return the products of `few` with the layer's output on `many`, head by head."""
    heads = few.shape[1]
    weight, bias = (x.unflatten(0, (heads, -1)) for x in (layer.weight, layer.bias))
    asked = (few @ weight).flatten(1, 2)
    level = (few @ bias[..., None]).flatten(1, 2)
    return torch.baddbmm(level, asked, many.transpose(1, 2)).unflatten(1, (heads, -1))


def read(
    shares: Float[Tensor, "b h n m"], many: Float[Tensor, "b m d"], layer: Affine
) -> Float[Tensor, "b h n e"]:
    """Return the mean of the layer's output on `many`; shares add up to one over m."""
    heads = shares.shape[1]
    seen = (shares.flatten(1, 2) @ many).unflatten(1, (heads, -1))
    weight, bias = (x.unflatten(0, (heads, -1)) for x in (layer.weight, layer.bias))
    return seen @ weight.transpose(1, 2) + bias[:, None]


def tell(
    shares: Float[Tensor, "b h n m"], few: Float[Tensor, "b h n e"], layer: Affine
) -> Float[Tensor, "b m o"]:
    """Return the layer's output on the mean of `few` that every cell takes, heads side by side."""
    weight = layer.weight.unflatten(1, (shares.shape[1], -1)).permute(1, 2, 0)
    said = (few @ weight).flatten(1, 2)
    return torch.baddbmm(layer.bias, shares.flatten(1, 2).transpose(1, 2), said)
