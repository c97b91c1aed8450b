"""From embedding cells to pixels: the last part of SAM's mask decoder."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from samplar.sam.fused import linear_gelu
from samplar.sam.layers import LayerNorm2d

FINER = 4
"""Pixels per embedding cell and axis."""


class Upscaling(nn.Sequential):
    """Two transposed convolutions, as published (Kirillov et al. 2023, appendix A).

    Kernel and stride are both 2, so a cell becomes 4 x 4 pixels without looking at its neighbours:
    the whole is a small network applied to each cell. `cells` computes it as such, in matrix
    products on the tokens as they lie; `forward` is the published form, which a CPU takes about
    twice as long for, most of it moving maps between memory layouts.
    """

    def __init__(self, width: int) -> None:
        super().__init__(
            nn.ConvTranspose2d(width, width // 4, 2, stride=2),
            LayerNorm2d(width // 4),
            nn.GELU(),
            nn.ConvTranspose2d(width // 4, width // 8, 2, stride=2),
            nn.GELU(),
        )

    def cells(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b n 16 c"]:
        """Return the features of every cell's 16 pixels, in the order `placed` expects."""
        first, norm, _, second, _ = self
        quarter = F.linear(tokens, *_as_linear(first)).unflatten(-1, (4, -1))
        normed = norm(quarter.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        fine = linear_gelu(F.gelu(normed), *_as_linear(second))
        return fine.unflatten(-1, (4, -1)).flatten(2, 3)


def _as_linear(conv: nn.Module) -> tuple[Float[Tensor, "p i"], Float[Tensor, " p"]]:
    """Return weight and bias of the linear layer from a cell to its four, row by row."""
    if not isinstance(conv, nn.ConvTranspose2d) or conv.bias is None:
        raise TypeError(f"expected a transposed convolution with a bias, found {conv}")
    return conv.weight.permute(2, 3, 1, 0).flatten(0, 2), conv.bias.repeat(4)


def placed(
    values: Float[Tensor, "b n 16 t"], grid: tuple[int, int]
) -> Float[Tensor, "b t {4*grid[0]} {4*grid[1]}"]:
    """Put the pixels of `cells` where they belong; `grid` is the embedding's (rows, columns)."""
    height, width = grid
    apart = values.unflatten(1, grid).unflatten(3, (2, 2, 2, 2))  # b, h, w, r, c, r', c', t
    in_order = apart.permute(0, 7, 1, 3, 5, 2, 4, 6)
    return in_order.reshape(len(values), values.shape[-1], FINER * height, FINER * width)
