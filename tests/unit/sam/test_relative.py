from __future__ import annotations

import pytest
import torch

from samplar.sam import relative
from samplar.sam.relative import Unread, attend, attend_at_once, by_offset, resized


def inputs(n=5, grid=(3, 4), depth=6, *, kind=torch.float64, seed=0):
    chance = torch.Generator().manual_seed(seed)
    height, width = grid
    shapes = (3, n, height * width, depth), (2 * height - 1, depth), (2 * width - 1, depth)
    return [torch.randn(s, generator=chance, dtype=kind).requires_grad_() for s in shapes]


def written_out(qkv, rows, columns):
    """Pair by pair, as SAM's paper has it."""
    q, k, v = qkv
    height, width = (len(rows) + 1) // 2, (len(columns) + 1) // 2
    scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
    bias = torch.zeros_like(scores)
    for a in range(height * width):
        for b in range(height * width):
            row = rows[a // width - b // width + height - 1]
            column = columns[a % width - b % width + width - 1]
            bias[:, a, b] = q[:, a] @ row + q[:, a] @ column
    return (scores + bias).softmax(dim=-1) @ v


# of 12 cells: several windows in a block, one, and one in several blocks that share keys
BLOCKS = (1 << 20, 2 * 144, 144, 5 * 12, 1)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("function", [attend, attend_at_once])
def test_both_ways_are_what_the_paper_says(monkeypatch, function, block):
    monkeypatch.setattr(relative, "BLOCK", block)
    given = inputs(kind=torch.float32)
    with torch.no_grad():
        torch.testing.assert_close(function(*given), written_out(*given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("block", BLOCKS)
def test_gradients_are_those_of_the_plain_way(monkeypatch, block):
    monkeypatch.setattr(relative, "BLOCK", block)
    given = inputs(kind=torch.float32)
    weights = torch.randn(5, 12, 6, generator=torch.Generator().manual_seed(1))
    fast = torch.autograd.grad((attend(*given) * weights).sum(), given)
    plain = torch.autograd.grad((attend_at_once(*given) * weights).sum(), given)
    for ours, expected in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("block", BLOCKS)
def test_queries_that_nobody_reads_are_left_out_and_change_no_gradient(monkeypatch, block):
    monkeypatch.setattr(relative, "BLOCK", block)
    given = inputs(n=10, kind=torch.float32)  # two images of three whole windows and two cut ones
    weights = torch.randn(10, 12, 6, generator=torch.Generator().manual_seed(1))
    cut = torch.tensor([3, 4, 8, 9])
    weights[cut, 8:] = 0
    unread = Unread(period=5, last=2, queries=8)
    found, expected = attend(*given, unread=unread), attend_at_once(*given)
    torch.testing.assert_close(found[cut, :8], expected[cut, :8], rtol=1e-4, atol=1e-5)
    grads = torch.autograd.grad((found.nan_to_num() * weights).sum(), given)
    plain = torch.autograd.grad((expected * weights).sum(), given)
    for ours, theirs in zip(grads, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert not grads[0][0, cut, 8:].any()


def test_frozen_tables_cost_no_gradient():
    qkv, rows, columns = inputs(kind=torch.float32)
    attend(qkv, rows.detach(), columns.detach()).sum().backward()
    assert qkv.grad.any()
    assert (rows.grad, columns.grad) == (None, None)


def test_scores_of_half_precision_are_added_up_in_full():
    given = [t.detach() for t in inputs(2, (8, 8), 16, kind=torch.float32)]
    found = attend(*(t.bfloat16() for t in given))
    assert found.dtype == torch.bfloat16
    assert (found.float() - written_out(*given)).abs().mean() < 0.01


def test_what_is_kept_for_the_way_back_does_not_grow_with_the_square_of_the_cells():
    given, kept = inputs(2, (8, 8), 4, kind=torch.float32), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, id):
        attend(*given)
    assert max(kept) == given[0].numel()


def test_offsets_are_looked_up_query_minus_key():
    table = torch.arange(5.0)[:, None]  # offsets -2 to 2
    assert by_offset(table, 3)[..., 0].tolist() == [[2, 1, 0], [3, 2, 1], [4, 3, 2]]


def test_a_table_made_for_another_side_is_resized_along_its_length():
    table = torch.tensor([[0.0], [1.0], [2.0]])
    # five numbers from three: positions -0.2, 0.4, 1, 1.6, 2.2, held at the ends
    rows = by_offset(resized(table, 3), 3)[..., 0]
    torch.testing.assert_close(rows[2], torch.tensor([2.0, 1.6, 1.0]))
    torch.testing.assert_close(rows[0], torch.tensor([1.0, 0.4, 0.0]))
