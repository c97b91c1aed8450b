"""Attention with decomposed relative positions, as in SAM's image encoder.

The bias of a query and a key is the sum of one number for their rows and one for their columns. It
is never written down for all pairs at once: scores are made, biased, turned into shares and used
block by block, each small enough for the processor's cache, and made again on the way back. With
the bias as a mask, PyTorch's own attention takes its slow path for a gradient, and at 1024 px the
masks of one global block would fill 768 MiB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 1 << 20
"""Scores in one block: 4 MiB in float32."""


@dataclass(frozen=True)
class Unread:
    """Which queries nobody will read: those in the last windows of each image that lie below it.

    Args:
        period: windows and heads of one image.
        last: how many of these, at the end, are cut by the lower border.
        queries: how many of the cells of each of those, from the first, are on the image.
    """

    period: int
    last: int
    queries: int


def attend(
    qkv: Float[Tensor, "3 n t d"],
    rows: Float[Tensor, "r d"],
    columns: Float[Tensor, "c d"],
    *,
    unread: Unread | None = None,
) -> Float[Tensor, "n t d"]:
    """Return softmax(q k / sqrt(d) + q . rows + q . columns) v over the t = h w cells of a grid.

    Args:
        qkv: queries, keys and values of the cells, row by row; `n` of windows and heads together.
        rows: position vectors of the offsets 1 - h to h - 1 from the key's row to the query's.
        columns: the same of the 2 w - 1 offsets between columns.
        unread: queries that may be left out; their output is then anything.
    """
    if qkv.device.type == "cpu":
        return _Attend.apply(qkv, rows, columns, unread)
    return attend_at_once(qkv, rows, columns)


def attend_at_once(
    qkv: Float[Tensor, "3 n t d"], rows: Float[Tensor, "r d"], columns: Float[Tensor, "c d"]
) -> Float[Tensor, "n t d"]:
    """Do what `attend` does with PyTorch's own attention and the bias of all pairs as its mask."""
    (q, k, v), (height, width) = qkv, _grid(rows, columns)
    apart = q.unflatten(1, (height, width))
    by_row = torch.einsum("nijd,ikd->nijk", apart, by_offset(rows, height))
    by_column = torch.einsum("nijd,jkd->nijk", apart, by_offset(columns, width))
    bias = by_row[..., :, None] + by_column[..., None, :]
    mask = bias.flatten(3).flatten(1, 2)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def by_offset(table: Float[Tensor, "t d"], side: int) -> Float[Tensor, "s s d"]:
    """Look a table of relative positions up for every (query, key) pair along an axis."""
    place = torch.arange(side, device=table.device)
    return table[place[:, None] - place + side - 1]


def resized(table: Float[Tensor, "t d"], side: int) -> Float[Tensor, "u d"]:
    """Return a table for this side; one made for another is resized linearly along its length."""
    length = 2 * side - 1
    if len(table) == length:
        return table
    return F.interpolate(table.T[None], length, mode="linear", align_corners=False)[0].T


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, qkv: Tensor, rows: Tensor, columns: Tensor, unread: Unread | None
    ) -> Tensor:
        ctx.grid, ctx.unread = _grid(rows, columns), unread
        tables = _as_one(rows, columns).to(qkv.dtype)
        q, k, v = qkv
        biases = _biases(q @ tables.T, ctx.grid)
        out = torch.empty_like(q)
        for n, t in _blocks(q, unread):
            out[n, t] = _shares(q[n, t], k[n], *(bias[n, t] for bias in biases)) @ v[n]
        ctx.save_for_backward(qkv, tables)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        qkv, tables = ctx.saved_tensors
        (q, k, v), scale = qkv, qkv.shape[-1] ** -0.5
        biases = _biases(q @ tables.T, ctx.grid)
        to_row, to_column = (torch.zeros_like(bias) for bias in biases)
        to_qkv = torch.empty_like(qkv)
        to_q, to_k, to_v = to_qkv
        for n, t in _blocks(q, ctx.unread):
            shares = _shares(q[n, t], k[n], *(bias[n, t] for bias in biases))
            first = {"beta": 0} if t.start == 0 else {}  # of the blocks that share keys
            to_v[n].baddbmm_(shares.transpose(1, 2), grad[n, t], **first)
            to_score = (grad[n, t] @ v[n].transpose(1, 2)).mul_(shares)
            # the output would say this sum as well, but then it would have to be kept
            to_score.addcmul_(shares, to_score.sum(dim=-1, keepdim=True), value=-1)
            apart = to_score.unflatten(-1, ctx.grid)
            to_row[n, t], to_column[n, t] = apart.sum(dim=-1), apart.sum(dim=-2)
            to_q[n, t] = (to_score @ k[n]).mul_(scale)
            to_k[n].baddbmm_(to_score.transpose(1, 2), q[n, t], alpha=scale, **first)
            to_q[n, t.stop :] = 0
        to_products = q.new_zeros(*q.shape[:2], len(tables))
        for there, here in zip(_by_pair(to_products, ctx.grid), (to_row, to_column), strict=True):
            there.copy_(here.view(there.shape))
        to_q += to_products @ tables
        if not ctx.needs_input_grad[1]:
            return to_qkv, None, None, None
        to_tables = to_products.flatten(0, 1).T @ q.flatten(0, 1)
        to_rows, to_columns = to_tables.split([2 * side - 1 for side in ctx.grid])
        return to_qkv, to_rows.flip(0), to_columns.flip(0), None


def _grid(rows: Tensor, columns: Tensor) -> tuple[int, int]:
    return (len(rows) + 1) // 2, (len(columns) + 1) // 2


def _as_one(rows: Tensor, columns: Tensor) -> Tensor:
    """Return both tables in one, each from the largest offset to the smallest."""
    return torch.cat([rows.flip(0), columns.flip(0)])


def _biases(products: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the bias of every query for each row and for each column, (n, t, h) and (n, t, w)."""
    by_row, by_column = _by_pair(products, grid)
    return by_row.flatten(1, 2), by_column.flatten(1, 2)


def _by_pair(
    products: Float[Tensor, "n t l"], grid: tuple[int, int]
) -> tuple[Float[Tensor, "n h w h"], Float[Tensor, "n h w w"]]:
    """View the products of queries with all offsets as those of queries with rows and columns.

    With the offsets from the largest to the smallest, a query's next key is the next number, and
    the next query's first key is one number earlier in its own: steps in memory, nothing to copy.
    """
    (count, cells, length), (height, width) = products.shape, grid
    image, line = cells * length, width * length
    by_row = products.as_strided(
        (count, height, width, height), (image, line - 1, length, 1), height - 1
    )
    by_column = products.as_strided(
        (count, height, width, width), (image, line, length - 1, 1), 2 * height - 1 + width - 1
    )
    return by_row, by_column


def _blocks(q: Tensor, unread: Unread | None) -> Iterator[tuple[slice, slice]]:
    """Yield parts of the first axis and of the queries whose scores fit into one block."""
    count, cells, _ = q.shape
    for start, end, queries in _runs(count, cells, unread):
        together = max(1, BLOCK // (queries * cells))
        height = min(queries, max(1, BLOCK // cells))
        for n in range(start, end, together):
            for t in range(0, queries, height):
                yield slice(n, min(n + together, end)), slice(t, min(t + height, queries))


def _runs(count: int, cells: int, unread: Unread | None) -> Iterator[tuple[int, int, int]]:
    """Yield where stretches of the first axis begin and end, and how many queries each has."""
    if unread is None:
        yield 0, count, cells
        return
    for image in range(0, count, unread.period):
        cut = image + unread.period - unread.last
        yield image, cut, cells
        yield cut, image + unread.period, unread.queries


def _shares(q: Tensor, k: Tensor, by_row: Tensor, by_column: Tensor) -> Tensor:
    """Return what each query takes of each key, in the kind of number of `q`."""
    bias = by_row.float()[..., :, None] + by_column.float()[..., None, :]
    scores, scaled = bias.flatten(2), q * q.shape[-1] ** -0.5
    if q.dtype == torch.float32:  # the product is added while it is made
        scores.baddbmm_(scaled, k.transpose(1, 2))
    else:
        scores += scaled @ k.transpose(1, 2)
    return torch.softmax(scores, dim=-1, out=scores).to(q.dtype)
