"""Attention with decomposed relative positions, as in SAM's image encoder.

The bias of a query and a key is the sum of one number for their rows and one for their columns. It
is never written down for all pairs at once: scores are made, biased, turned into shares and used
block by block, each small enough for the processor's cache, and made again on the way back. With
the bias as a mask, PyTorch's own attention takes its slow path for a gradient, and at 1024 px the
masks of one global block would fill 768 MiB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 1 << 20
"""Scores in one block: 4 MiB in float32."""


def attend(
    qkv: Float[Tensor, "3 n t d"], rows: Float[Tensor, "h h d"], columns: Float[Tensor, "w w d"]
) -> Float[Tensor, "n t d"]:
    """Return softmax(q k / sqrt(d) + q . rows + q . columns) v over the t = h w cells of a grid.

    Args:
        qkv: queries, keys and values of the cells, row by row; `n` of windows and heads together.
        rows: position vector of every pair of rows, the query's and the key's.
        columns: the same of columns.
    """
    if qkv.device.type == "cpu":
        return _Attend.apply(qkv, rows, columns)
    return attend_at_once(qkv, rows, columns)


def attend_at_once(
    qkv: Float[Tensor, "3 n t d"], rows: Float[Tensor, "h h d"], columns: Float[Tensor, "w w d"]
) -> Float[Tensor, "n t d"]:
    """Do what `attend` does with PyTorch's own attention and the bias of all pairs as its mask."""
    q, k, v = qkv
    by_row, by_column = _biases(q, rows, columns)
    bias = (by_row[..., :, None] + by_column[..., None, :]).flatten(2)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)


def _biases(q: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return the bias of every query for each row and for each column, (n, t, h) and (n, t, w)."""
    apart = q.unflatten(1, (len(rows), len(columns)))
    by_row = apart @ rows.transpose(1, 2)
    by_column = (apart.transpose(1, 2) @ columns.transpose(1, 2)).transpose(1, 2)
    return by_row.flatten(1, 2), by_column.flatten(1, 2)


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        rows, columns = rows.to(qkv.dtype), columns.to(qkv.dtype)
        q, k, v = qkv
        biases = _biases(q, rows, columns)
        out = torch.empty_like(q)
        for n, t in _blocks(q):
            out[n, t] = _shares(q[n, t], k[n], *(bias[n, t] for bias in biases)) @ v[n]
        ctx.save_for_backward(qkv, rows, columns, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        qkv, rows, columns, out = ctx.saved_tensors
        grid = len(rows), len(columns)
        (q, k, v), scale = qkv, qkv.shape[-1] ** -0.5
        biases = _biases(q, rows, columns)
        to_row, to_column = (torch.empty_like(bias) for bias in biases)
        to_qkv = torch.empty_like(qkv)
        to_q, to_k, to_v = to_qkv
        for n, t in _blocks(q):
            shares = _shares(q[n, t], k[n], *(bias[n, t] for bias in biases))
            first = {"beta": 0} if t.start == 0 else {}  # of the blocks that share keys
            to_v[n].baddbmm_(shares.transpose(1, 2), grad[n, t], **first)
            mean = (grad[n, t] * out[n, t]).sum(dim=-1, keepdim=True)
            to_score = (grad[n, t] @ v[n].transpose(1, 2)).sub_(mean).mul_(shares)
            apart = to_score.unflatten(-1, grid)
            to_row[n, t], to_column[n, t] = apart.sum(dim=-1), apart.sum(dim=-2)
            to_q[n, t] = (to_score @ k[n]).mul_(scale)
            to_k[n].baddbmm_(to_score.transpose(1, 2), q[n, t], alpha=scale, **first)
        to_row, to_column = to_row.unflatten(1, grid), to_column.unflatten(1, grid)
        apart = to_q.unflatten(1, grid)
        apart += to_row @ rows
        apart += (to_column.transpose(1, 2) @ columns).transpose(1, 2)
        if not ctx.needs_input_grad[1]:
            return to_qkv, None, None
        cells = q.unflatten(1, grid)
        to_rows = torch.einsum("nijk,nijd->ikd", to_row, cells)
        to_columns = torch.einsum("nijk,nijd->jkd", to_column, cells)
        return to_qkv, to_rows, to_columns


def _blocks(q: Tensor) -> Iterator[tuple[slice, slice]]:
    """Yield parts of the first axis and of the queries whose scores fit into one block."""
    count, cells, _ = q.shape
    together = max(1, BLOCK // cells**2)
    queries = min(cells, max(1, BLOCK // cells))
    for n in range(0, count, together):
        for t in range(0, cells, queries):
            yield slice(n, n + together), slice(t, t + queries)


def _shares(q: Tensor, k: Tensor, by_row: Tensor, by_column: Tensor) -> Tensor:
    """Return what each query takes of each key, in the kind of number of `q`."""
    scores = ((q * q.shape[-1] ** -0.5) @ k.transpose(1, 2)).float()
    apart = scores.unflatten(-1, (by_row.shape[-1], by_column.shape[-1]))
    apart += by_row[..., :, None]
    apart += by_column[..., None, :]
    return torch.softmax(scores, dim=-1, out=scores).to(q.dtype)
