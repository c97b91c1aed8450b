"""Cutting a map into square windows and putting it together again (both image encoders)."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def split_windows(
    x: Float[Tensor, "b h w c"], size: int
) -> tuple[Float[Tensor, "m n c"], tuple[int, int]]:
    """Cut a map into square windows, zero-padding right and bottom; also return their grid."""
    batch, height, width, channels = x.shape
    x = F.pad(x, (0, 0, 0, -width % size, 0, -height % size))
    rows, columns = x.shape[1] // size, x.shape[2] // size
    x = x.view(batch, rows, size, columns, size, channels).transpose(2, 3)
    return x.reshape(batch * rows * columns, size * size, channels), (rows, columns)


def join_windows(
    windows: Float[Tensor, "m n c"], grid: tuple[int, int], size: int
) -> Float[Tensor, "b h w c"]:
    """Undo `split_windows`, leaving its padding on."""
    rows, columns = grid
    x = windows.view(-1, rows, columns, size, size, windows.shape[-1]).transpose(2, 3)
    return x.reshape(-1, rows * size, columns * size, windows.shape[-1])
