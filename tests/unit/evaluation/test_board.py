from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from bench_cells import cell, entry, missing

from samplar.evaluation.board import Board, Kind, Spread


def two(first: float, second: float) -> dict[str, tuple[float, float]]:
    return {"ann": (first, first), "bob": (second, second)}


def board(*entries, **kinds):
    return Board(tuple(entries), {name.replace("_", "-"): kind for name, kind in kinds.items()})


def places(method: str, *found: tuple[int, int]):
    """Return finished cells of a method at these draws and seeds."""
    return [entry(cell(method, two(60, 60), draw=d, seed=s)) for d, s in found]


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


def test_only_methods_that_rest_on_the_same_draws_and_seeds_are_level():
    found = board(
        *places("a", (0, 0), (0, 1), (1, 0), (1, 1)),
        *places("b", (1, 1), (1, 0), (0, 1), (0, 0)),
        *places("one seed", (0, 0), (1, 0)),
        *places("one draw", (0, 0), (0, 1)),
        *places("elsewhere", (1, 0), (1, 1), (2, 0), (2, 1)),
    )
    assert found.level("heart", 1) == {"a", "b"}
    assert found.fair("heart", 1) == ["a", "b"]
    assert found.level("heart", 4) == found.level("liver", 1) == set()


def test_a_method_that_is_ahead_takes_no_honours_from_the_others():
    ahead = places("ahead", (0, 0), (1, 0))
    found = board(*ahead, *places("a", (0, 0)), *places("b", (0, 0)))
    assert found.level("heart", 1) == {"a", "b"}
    assert board(*ahead, *places("a", (0, 0))).level("heart", 1) == {"ahead"}
    assert board(*ahead, *places("a", (0, 0), (2, 0))).level("heart", 1) == set()


def test_what_does_not_train_has_no_seeds_to_miss():
    seeded, still = places("a", (0, 5), (0, 6), (1, 5), (1, 6)), places("b", (0, 0), (1, 0))
    assert board(*seeded, *still, b=Kind(trains=False)).level("heart", 1) == {"a", "b"}
    assert board(*seeded, *still[:1], b=Kind(trains=False)).level("heart", 1) == {"a"}
    assert board(*seeded[:2], *still, b=Kind(trains=False)).level("heart", 1) == {"b"}
    assert board(*seeded, *still).level("heart", 1) == {"a"}


def test_seeds_that_disagree_leave_nothing_level():
    found = board(*places("a", (0, 0)), *places("b", (0, 1)))
    assert found.level("heart", 1) == set()


def test_an_oracle_does_not_say_how_complete_others_must_be():
    oracle = places("zero-shot", (0, 0), (1, 0))
    found = board(*places("a", (0, 0)), *oracle)
    assert (found.level("heart", 1), found.fair("heart", 1)) == ({"a"}, ["a"])
    assert board(*places("a", (0, 0), (1, 0)), *oracle).level("heart", 1) == {"a", "zero-shot"}
    assert board(*oracle).level("heart", 1) == {"zero-shot"}
    assert board(*oracle).fair("heart", 1) == []


def test_what_is_whole_with_fewer_draws_is_not_compared():
    found = board(*places("a", (0, 0), (1, 0)), *places("b", (0, 0)))
    assert found.compared("heart", 1) == {"a": 60.0}
    assert found.mean_ranks() == {}


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


def test_subjects_of_draws_that_only_one_method_has_take_no_part():
    ours = [cell("a", {name: (60.0,)}, draw=d) for d, name in enumerate(("ann", "bob", "cy"))]
    theirs = [cell("b", {"ann": (50.0,)}), cell("b", {"bob": (58.0,)}, draw=1)]
    found = board(*map(entry, (*ours, *theirs))).difference("heart", 1, "a", "b")
    assert found is not None
    assert (found.draws, found.subjects, found.mean) == (2, 2, pytest.approx(6))
    one = board(*map(entry, (*ours, theirs[0]))).difference("heart", 1, "a", "b")
    assert one is not None
    assert (one.draws, one.subjects, one.mean) == (1, 1, pytest.approx(10))


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


def test_what_a_method_is_is_known_before_it_has_a_cell():
    kinds = {"zero_shot": Kind(oracle=True, trains=False), "copy_nearest": Kind(trivial=True)}
    waiting = [missing(name, 1) for name in ("zero-shot", "copy-nearest", "a")]
    found = board(*waiting, entry(cell("a", two(60, 60), k=4)), **kinds)
    names = found.methods
    assert [found.is_oracle(name) for name in names] == [True, False, False]
    assert [found.is_trivial(name) for name in names] == [False, True, False]


def test_an_oracle_that_is_not_computed_yet_does_not_hinder_ranks():
    entries = [entry(cell(name, two(level, level))) for name, level in (("a", 60), ("b", 70))]
    waiting = missing("zero-shot", 1)
    found = board(*entries, waiting, zero_shot=Kind(oracle=True))
    assert found.mean_ranks() == {"a": (2.0, 1), "b": (1.0, 1)}


def test_an_oracle_at_one_k_is_an_oracle():
    plain, told = cell("a", two(1, 1)), cell("a", two(1, 1), k=4, prompted="oracle points")
    assert board(entry(plain), entry(told)).is_oracle("a")


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
