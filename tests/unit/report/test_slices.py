from __future__ import annotations

import numpy as np
import pytest

from samplar.report.slices import SliceScore, pick_slices, score_slices
from samplar.types import IGNORE


def scores(*values: tuple[str, float], pixels: int = 9) -> list[SliceScore]:
    return [
        SliceScore(f"{who}_ct", who, n, float(dsc), pixels) for n, (who, dsc) in enumerate(values)
    ]


def picked(found: list) -> list[tuple[str, float]]:
    return [(pick.rank, pick.score.dsc) for pick in found]


def test_scores_by_hand():
    truth = np.zeros((4, 4, 4), np.uint8)
    prediction = truth.copy()
    truth[0, :2], prediction[0, 1:3] = 1, 1  # one class, half shared: 50
    truth[1, 0], prediction[1, 0], prediction[1, 3] = 1, 1, 2  # 100 and a false positive: 50
    truth[2, 0], prediction[2, 0], truth[2, 1] = 2, 2, IGNORE  # unlabelled row left out: 100
    prediction[2, 1] = 1

    found = score_slices(prediction, truth, case="a_ct", subject="a")

    assert [(score.slice, score.dsc) for score in found] == [(0, 50.0), (1, 50.0), (2, 100.0)]
    assert [score.pixels for score in found] == [12, 8, 4]
    assert {(score.case, score.subject) for score in found} == {("a_ct", "a")}


def test_picks_best_median_and_worst():
    found = pick_slices(scores(("a", 10), ("b", 90), ("c", 52), ("d", 50), ("e", 95)))

    assert picked(found) == [("best", 95), ("median", 52), ("worst", 10)]


def test_subjects_are_distinct_where_possible():
    found = pick_slices(scores(("a", 10), ("a", 99), ("b", 60), ("b", 61), ("c", 50)))

    assert picked(found) == [("best", 61), ("median", 50), ("worst", 10)]


def test_no_slice_is_shown_twice_when_subjects_run_out():
    found = pick_slices(scores(("a", 10), ("a", 40), ("a", 80)))

    assert picked(found) == [("best", 80), ("median", 40), ("worst", 10)]
    assert picked(pick_slices(scores(("a", 10)))) == [("worst", 10)]
    assert pick_slices([]) == []


def test_several_of_each_and_ties_in_a_fixed_order():
    values = scores(*[(name, 50) for name in "abcdefg"])
    found = pick_slices(values, each=2)

    assert [pick.rank for pick in found] == ["best"] * 2 + ["median"] * 2 + ["worst"] * 2
    assert [pick.score.subject for pick in found] == ["c", "d", "e", "f", "a", "b"]
    assert pick_slices(values[::-1], each=2) == found


def test_of_slices_that_score_alike_those_with_more_to_see_go_first():
    nothing = scores(*[(name, 0) for name in "abcd"], pixels=1)
    much = SliceScore("e_ct", "e", 7, 0.0, 40)
    more = SliceScore("f_ct", "f", 8, 0.0, 50)
    whole = [SliceScore("g_ct", "g", 1, 100.0, 5), SliceScore("h_ct", "h", 2, 100.0, 60)]
    found = {pick.rank: pick.score for pick in pick_slices([*nothing, much, more, *whole])}
    assert found == {"worst": more, "best": whole[1], "median": much}


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_picks_are_always_different_slices(count):
    found = pick_slices(scores(*[(str(n % 3), n * 7 % 11) for n in range(count)]), each=2)

    assert len({pick.score for pick in found}) == len(found) == min(count, 6)
