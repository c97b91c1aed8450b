from __future__ import annotations

import pytest

from samplar.evaluation.scores import CaseScores, ClassScore
from samplar.evaluation.summary import summarise
from samplar.report.data import MethodResult
from samplar.report.tables import (
    Cell,
    Table,
    left_out_table,
    metric_headers,
    score_table,
    subject_table,
)


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_one_method_has_a_row_per_class_and_a_mean(evaluated):
    evaluation = evaluated({"a": (90, 80), "b": (70, None)})

    table = score_table([MethodResult(name="ours", evaluation=evaluation)])

    assert table.headers == ("Class", "DSC", "IoU", "HD95 (mm)", "NSD at 2 mm")
    assert texts(table) == [
        ["liver", "80.0 ± 14.1", "40.0 ± 7.1", "2.0 ± 1.4", "80.0 ± 14.1"],
        ["spleen", "80.0", "40.0", "2.0", "80.0"],
        ["mean over classes", "80.0 ± 10.6", "40.0 ± 5.3", "2.0 ± 1.1", "80.0 ± 10.6"],
    ]
    assert not any(cell.best for row in table.rows for cell in row)


def test_several_methods_are_compared_and_the_best_is_marked(evaluated):
    first, second = evaluated({"a": (90, 50)}), evaluated({"a": (80, 60)})

    table = score_table(
        [MethodResult(name="x", evaluation=first), MethodResult(name="y", evaluation=second)]
    )

    assert [row[:3] for row in texts(table)] == [
        ["liver", "x", "90.0"],
        ["liver", "y", "80.0"],
        ["spleen", "x", "50.0"],
        ["spleen", "y", "60.0"],
        ["mean over classes", "x", "70.0"],
        ["mean over classes", "y", "70.0"],
    ]
    marks = [[cell.best for cell in row[2:]] for row in table.rows]
    assert marks == [[True] * 4, [False] * 4, [False] * 4, [True] * 4, [True] * 4, [True] * 4]


def test_an_undefined_score_is_a_dash_and_never_best(evaluated):
    absent = evaluated({"a": (90, None)})

    table = score_table([MethodResult(name=name, evaluation=absent) for name in ("x", "y")])

    assert texts(table)[2] == ["spleen", "x", "-", "-", "-", "-"]
    assert not any(cell.best for cell in table.rows[2])


def test_subjects_are_listed_with_each_class(evaluated):
    table = subject_table(evaluated({"a": (90, 80), "b": (70, None)}))

    assert table.headers[:3] == ("Subject", "Cases", "DSC")
    assert table.headers[-2:] == ("DSC liver", "DSC spleen")
    assert texts(table) == [
        ["a", "1", "85.0", "42.5", "1.5", "85.0", "90.0", "80.0"],
        ["b", "1", "70.0", "35.0", "3.0", "70.0", "70.0", "-"],
    ]


def test_what_is_left_out_is_grouped_by_its_reason(evaluated):
    many = {f"s{n:02d}": (50, None) for n in range(15)}

    whole, cases = texts(left_out_table(evaluated(many)))

    assert whole == ["spleen", "DSC, HD95, NSD, IoU", "no case counts for this class", "all", "1"]
    assert cases[0] == "spleen"
    assert cases[3].startswith("s00_ct, s01_ct")
    assert cases[3].endswith("s11_ct and 3 more")
    assert cases[4] == "15"


def test_voxel_scores_name_no_tolerance():
    score = ClassScore(index=1, status="scored", unit="voxel", dsc=50, iou=30, nsd=None, hd95=2)
    evaluation = summarise(
        [CaseScores("a", "a", (score,))], names=("liver",), protocol="samed", tolerance=2.0
    )

    assert metric_headers(evaluation) == ("DSC", "IoU", "HD95 (voxel)", "NSD")
    assert texts(left_out_table(evaluation))[0][:2] == ["all", "NSD"]


@pytest.fixture
def small() -> Table:
    rows = ((Cell("a|b"), Cell("1.0", best=True)), (Cell("long\n*name*"), Cell("12.5")))
    return Table(("Class", "DSC"), rows, numbers_from=1)


def test_markdown(small):
    assert small.markdown() == (
        "| Class | DSC |\n| --- | ---: |\n| a\\|b | **1.0** |\n| long \\*name\\* | 12.5 |\n"
    )


def test_terminal_text(small):
    assert small.text() == (
        "Class         DSC\n-----------  ----\na|b          1.0*\nlong *name*  12.5\n"
    )
