"""From a map of queries, keys and values to the windows attention works in, and back.

Both image encoders cut maps into windows and heads; a global block is one window over the whole
map. Each way is one copy. What a window shows beyond the map is the same in every cell there: it is
filled in behind the linear layer, so that nothing is computed for cells that do not exist. A map of
32 x 32 cells cut into windows of 14 has 1024 of them, and 740 would be added.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

Pair = tuple[int, int]
"""Height and width in cells."""


def to_windows(
    x: Float[Tensor, "b h w p n d"], window: Pair, beyond: Float[Tensor, "p n d"]
) -> Float[Tensor, "p m {window[0]*window[1]} d"]:
    """Cut a map into windows from the top left.

    Args:
        x: `p` vectors for each of `n` heads in every cell.
        window: size of a window.
        beyond: what the last windows show right of the map and below it.

    Returns:
        For each of the `p`, the cells of `m` = images x windows x heads, row by row.
    """
    return _Cut.apply(x, beyond, window)


def from_windows(
    x: Float[Tensor, "m t d"], window: Pair, shape: Pair, *, heads: int
) -> Float[Tensor, "b {shape[0]} {shape[1]} c"]:
    """Put windows together to a map of this shape, heads side by side; undoes `to_windows`."""
    return _Join.apply(x, window, shape, heads)


class _Cut(torch.autograd.Function):
    """Written out, because autograd would undo each copy into a part by one of the whole."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, beyond: Tensor, window: Pair) -> Tensor:
        ctx.window, ctx.like = window, torch.empty_like(x, device="meta")
        windows = _empty_windows(x, window)
        apart = _apart(windows, window, (x.shape[1], x.shape[2]), x.shape[4])
        for there, here in _shared(apart, x):
            there.copy_(here)
        for part in _outside(apart, x):
            part.copy_(beyond)
        return windows

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        to_x = torch.empty_like(ctx.like, device=grad.device, dtype=grad.dtype)
        shape, heads = (to_x.shape[1], to_x.shape[2]), to_x.shape[4]
        apart = _apart(grad.contiguous(), ctx.window, shape, heads)
        for there, here in _shared(apart, to_x):
            here.copy_(there)
        if not ctx.needs_input_grad[1]:
            return to_x, None, None
        to_beyond = grad.new_zeros(to_x.shape[3:])
        for part in _outside(apart, to_x):
            to_beyond += part.flatten(0, 4).sum(dim=0)
        return to_x, to_beyond, None


class _Join(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, window: Pair, shape: Pair, heads: int) -> Tensor:
        ctx.window, ctx.heads = window, heads
        apart = _apart(x.contiguous()[None], window, shape, heads)
        joined = x.new_empty(len(apart), *shape, 1, heads, x.shape[-1])
        for there, here in _shared(apart, joined):
            here.copy_(there)
        return joined.flatten(3)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        cells = grad.unflatten(-1, (1, ctx.heads, -1))
        return _Cut.apply(cells, grad.new_zeros(()), ctx.window)[0], None, None, None


def _grid(shape: Pair, window: Pair) -> Pair:
    return -(-shape[0] // window[0]), -(-shape[1] // window[1])


def _empty_windows(x: Tensor, window: Pair) -> Tensor:
    batch, height, width, parts, heads, depth = x.shape
    rows, columns = _grid((height, width), window)
    count = batch * rows * columns * heads
    return x.new_empty(parts, count, window[0] * window[1], depth)


def _apart(windows: Tensor, window: Pair, shape: Pair, heads: int) -> Tensor:
    """Return a view (b, rows, columns, height, width, p, n, d) of windows (p, m, t, d)."""
    parts, depth = len(windows), windows.shape[-1]
    grid = _grid(shape, window)
    return windows.view(parts, -1, *grid, heads, *window, depth).permute(1, 2, 3, 5, 6, 0, 4, 7)


def _runs(length: int, size: int) -> Iterator[tuple[slice, int, slice]]:
    """Yield windows along an axis, how far the map fills each, and where they are on the map."""
    whole, rest = divmod(length, size)
    if whole:
        yield slice(whole), size, slice(whole * size)
    if rest:
        yield slice(whole, whole + 1), rest, slice(whole * size, length)


def _shared(apart: Tensor, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield views of the same cells in the windows and on the map, in at most four parts."""
    for rows, deep, down in _runs(x.shape[1], apart.shape[3]):
        for columns, wide, across in _runs(x.shape[2], apart.shape[4]):
            cells = x[:, down, across].unflatten(2, (-1, wide)).unflatten(1, (-1, deep))
            yield apart[:, rows, columns, :deep, :wide], cells.transpose(2, 3)


def _outside(apart: Tensor, x: Tensor) -> Iterator[Tensor]:
    """Yield views of the cells of the windows that are not on the map, each cell once."""
    height, width = apart.shape[3:5]
    last = width - (-x.shape[2]) % width
    for rows, deep, _ in _runs(x.shape[1], height):
        if deep < height:
            yield apart[:, rows, :, deep:]
        if last < width:
            yield apart[:, rows, -1:, :deep, last:]
