from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from bench_cells import cell, entry, missing

from samplar.evaluation.board import Board, Spread


def two(first: float, second: float) -> dict[str, tuple[float, float]]:
    return {"ann": (first, first), "bob": (second, second)}


def board(*entries):
    return Board(tuple(entries))


def test_mean_and_spread_are_over_draws_and_seeds():
    cells = [
        cell("a", two(60, 80)),  # mean 70
        cell("a", two(70, 90), draw=1),  # 80
        cell("a", two(80, 100), draw=1, seed=1),  # 90
        cell("a", None, draw=2),
    ]
    found = board(*map(entry, cells)).spread("heart", "a", 1)
    assert (found.mean, found.std, found.count) == pytest.approx((80.0, 10.0, 3))
    assert board(entry(cells[0])).spread("heart", "a", 1).std is None
    assert board(entry(cells[3])).spread("heart", "a", 1).mean is None


def test_columns_ascend_and_the_full_set_is_last():
    cells = [cell("a", two(1, 1), k=k) for k in ("full", 18, 4)] + [cell("b", two(1, 1), k=0)]
    assert board(*map(entry, cells)).columns("heart") == [0, 4, 18, "full"]


def test_only_whole_columns_and_no_oracles_are_compared():
    found = board(
        entry(cell("a", two(60, 60))),
        entry(cell("b", two(70, 70))),
        missing("b", 1, draw=1),
        entry(cell("zero-shot", two(99, 99))),
    )
    assert found.compared("heart", 1) == {"a": 60.0}


def test_ranks_are_averaged_over_columns_where_all_are_whole():
    found = board(
        *(entry(cell("a", two(60, 60), k=k)) for k in (1, 4)),
        entry(cell("b", two(70, 70), k=1)),
        entry(cell("b", two(50, 50), k=4)),
        entry(cell("a", two(10, 10), k=9)),
        missing("b", 9),
        entry(cell("zero-shot", two(99, 99), k=0)),
    )
    assert found.mean_ranks() == {"a": (1.5, 2), "b": (1.5, 2)}


def test_a_difference_is_paired_over_common_draws_and_matches_the_tables():
    ours = [cell("a", two(60, 80), draw=d) for d in (0, 1)]
    theirs = [cell("b", two(50, 71), draw=0), cell("b", two(52, 71), draw=0, seed=1)]
    lone = cell("b", two(0, 0), draw=7)
    found = board(*map(entry, (*ours, *theirs, lone))).difference("heart", 1, "a", "b")
    assert found is not None
    assert found.mean == pytest.approx(70 - (60.5 + 61.5) / 2)
    assert (found.draws, found.subjects) == (1, 2)
    assert 9 - 1e-9 <= found.low <= found.high <= 9 + 1e-9
    apart = board(entry(ours[0]), entry(lone))
    assert apart.difference("heart", 1, "a", "b") is None


def test_an_absent_class_is_left_out_as_in_the_tables():
    mine = cell("a", {"ann": (60.0, None), "bob": (80.0, 40.0)})
    other = cell("b", {"ann": (60.0, 0.0), "bob": (80.0, 40.0)})
    found = board(entry(mine), entry(other)).difference("heart", 1, "a", "b")
    assert found is not None
    assert mine.evaluation is not None
    assert other.evaluation is not None
    expected = (mine.evaluation.mean.dsc or 0) - (other.evaluation.mean.dsc or 0)
    assert found.mean == pytest.approx(expected) == pytest.approx(10)


@pytest.mark.parametrize(
    ("values", "spread"),
    [
        ([], Spread(None, None, 0)),
        ([None], Spread(None, None, 0)),
        ([3.0, None], Spread(3.0, None, 1)),
        ([3.0, 5.0], Spread(4.0, 2**0.5, 2)),
    ],
)
def test_a_spread_needs_two_values(values, spread):
    assert Spread.of(values) == spread


def test_only_cells_with_scores_are_counted():
    done, failed = cell("a", two(60, 60)), cell("b", None)
    found = board(entry(failed), entry(done), missing("c", 1))
    assert found.cells == [done]
    assert (found.datasets, found.methods) == (["heart"], ["b", "a", "c"])
    assert found.done("heart", "b", 1) == found.done("heart", "c", 1) == []
    assert len(found.places("heart", "c", 1)) == 1


def test_what_a_method_is_is_said_by_any_cell_finished_or_failed():
    found = board(
        missing("zero-shot", 1),
        entry(cell("zero-shot", None, draw=1)),
        entry(cell("copy-nearest", two(1, 1))),
        missing("a", 1),
    )
    names = ("zero-shot", "copy-nearest", "a")
    assert [found.is_oracle(name) for name in names] == [True, False, False]
    assert [found.is_trivial(name) for name in names] == [False, True, False]
    assert found.any_cell("a") is None


def test_a_method_whose_cells_failed_is_not_compared():
    found = board(entry(cell("a", two(60, 60))), entry(cell("b", None)))
    assert found.compared("heart", 1) == {"a": 60.0}
    assert found.mean_ranks() == {}


def test_what_is_in_a_table_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Spread(1.0, None, 1).mean = 2.0
    with pytest.raises(FrozenInstanceError):
        missing("a", 1).name = "b"
    with pytest.raises(FrozenInstanceError):
        Board(()).entries = ()
