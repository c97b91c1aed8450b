from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from samplar.sam.windows import from_windows, to_windows


def randn(*shape, seed=0, **kind):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), **kind)


def written_out(x, window, beyond):
    """Cell by cell, what `to_windows` returns."""
    batch, height, width, parts, heads, depth = x.shape
    rows, columns = math.ceil(height / window[0]), math.ceil(width / window[1])
    windows = torch.empty(parts, batch, rows, columns, heads, *window, depth, dtype=x.dtype)
    for row, column in itertools.product(range(rows * window[0]), range(columns * window[1])):
        there = row < height and column < width
        cell = x[:, row, column] if there else beyond.expand(batch, -1, -1, -1)
        place = row // window[0], column // window[1], row % window[0], column % window[1]
        windows[:, :, place[0], place[1], :, place[2], place[3]] = cell.transpose(0, 1)
    return windows.flatten(5, 6).flatten(1, 4)


sides = st.tuples(st.integers(1, 11), st.integers(1, 11))


@settings(max_examples=40)
@given(st.integers(1, 2), sides, sides, st.integers(1, 3), st.integers(1, 3))
def test_cutting_is_what_it_says_and_joining_undoes_it(batch, shape, window, parts, heads):
    x, beyond = randn(batch, *shape, parts, heads, 2), randn(parts, heads, 2, seed=1)
    windows = to_windows(x, window, beyond)
    assert torch.equal(windows, written_out(x, window, beyond))
    for part, cut in enumerate(windows):
        back = from_windows(cut, window, shape, heads=heads)
        assert torch.equal(back, x[:, :, :, part].flatten(3))


def test_a_window_holds_neighbours_row_by_row():
    x = torch.arange(24.0).view(1, 4, 6, 1, 1, 1)
    windows = to_windows(x, (2, 2), torch.zeros(1, 1, 1))[0, ..., 0]
    assert windows[1].tolist() == [2, 3, 8, 9]
    assert windows[3].tolist() == [12, 13, 18, 19]


@pytest.mark.parametrize("shape", [(4, 6), (5, 6), (4, 7), (5, 7), (1, 1), (2, 3)])
def test_gradients(shape):
    kind = {"dtype": torch.float64}
    x = randn(2, *shape, 3, 2, 2, **kind).requires_grad_()
    beyond = randn(3, 2, 2, seed=1, **kind).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: to_windows(a, (2, 3), b), (x, beyond))
    cut = to_windows(x, (2, 3), beyond)[0].detach().requires_grad_()
    join = lambda t: from_windows(t, (2, 3), shape, heads=2)  # noqa: E731
    assert torch.autograd.gradcheck(join, (cut,))


def test_heads_before_parts_in_memory_are_read_and_given_back_so():
    """TinyViT's linear layer orders its outputs so."""
    flat = randn(1, 5, 5, 2, 3, 4).requires_grad_()
    x = flat.transpose(-3, -2)
    windows = to_windows(x, (3, 3), torch.zeros(3, 2, 4))
    assert torch.equal(windows, to_windows(x.contiguous(), (3, 3), torch.zeros(3, 2, 4)))
    windows.backward(windows.detach())
    assert torch.equal(flat.grad, flat.detach())


def test_other_kinds_of_number_stay():
    half = to_windows(randn(1, 3, 3, 3, 1, 2).bfloat16(), (2, 2), torch.zeros(3, 1, 2).bfloat16())
    assert half.dtype == torch.bfloat16
    assert from_windows(half[0], (2, 2), (3, 3), heads=1).dtype == torch.bfloat16
