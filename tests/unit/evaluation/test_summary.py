from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import pytest

from samplar.errors import InputError
from samplar.evaluation.means import mean_scores, std_scores
from samplar.evaluation.result import Evaluation
from samplar.evaluation.scores import CaseScores, ClassScore, Scores
from samplar.evaluation.summary import summarise


def scored(dsc: float, index: int = 1, unit: str = "mm") -> ClassScore:
    return ClassScore(
        index=index, status="scored", unit=unit, dsc=dsc, iou=dsc / 2, nsd=dsc, hd95=100 - dsc
    )


def empty(index: int = 1) -> ClassScore:
    return ClassScore(
        index=index, status="both-empty", unit="mm", dsc=100, iou=100, nsd=100, hd95=0
    )


def invented(index: int = 1) -> ClassScore:
    return ClassScore(
        index=index, status="false-positive", unit="mm", dsc=0, iou=0, nsd=0, hd95=None
    )


def summary(rows: list[tuple], names: tuple[str, ...] = ("liver",), protocol="strict"):
    return summarise(
        [CaseScores(case, subject, tuple(scores)) for case, subject, *scores in rows],
        names=names,
        protocol=protocol,
        tolerance=2.0,
    )


def test_means_and_spreads_skip_what_is_undefined():
    scores = [Scores(dsc=d, hd95=h, nsd=None, iou=1) for d, h in ((10, None), (20, 4), (60, None))]

    assert mean_scores(scores) == Scores(dsc=30, hd95=4, nsd=None, iou=1)
    assert std_scores(scores).dsc == pytest.approx(700**0.5)
    assert std_scores(scores).hd95 is None


def test_a_subject_counts_once_however_many_cases_it_has():
    result = summary([("a1", "a", scored(90)), ("a2", "a", scored(70)), ("b1", "b", scored(20))])

    assert result.per_subject["a"].mean.dsc == 80
    assert result.per_subject["a"].cases == 2
    assert result.per_class["liver"].dsc == 50
    assert result.per_class["liver"].std.dsc == pytest.approx(1800**0.5)
    assert (result.per_class["liver"].subjects, result.per_class["liver"].cases) == (2, 3)
    assert result.mean == Scores(dsc=50, iou=25, nsd=50, hd95=50)
    assert result.undefined == []
    assert result.unit == "mm"


def test_samed_takes_the_mean_over_cases():
    rows = [("a1", "a", scored(90)), ("a2", "a", scored(70)), ("b1", "b", scored(20))]

    assert summary(rows, protocol="samed").mean.dsc == pytest.approx(60)


def test_a_class_counts_once_however_many_subjects_have_it():
    result = summary(
        [
            ("a", "a", scored(90), empty(2)),
            ("b", "b", scored(70), empty(2)),
            ("c", "c", scored(80), scored(20, 2)),
        ],
        names=("liver", "cyst"),
    )

    assert result.per_class["liver"].dsc == 80
    assert result.per_class["cyst"].dsc == 20
    assert result.mean.dsc == 50
    assert result.per_subject["a"].mean.dsc == 90
    assert result.per_subject["c"].mean.dsc == 50


def test_an_absent_class_is_listed_and_does_not_lift_the_mean():
    result = summary([("a", "a", scored(40)), ("b", "b", empty())])

    assert result.mean.dsc == 40
    assert result.per_class["liver"].subjects == 1
    (left_out,) = result.undefined
    assert (left_out.case, left_out.subject, left_out.class_name) == ("b", "b", "liver")
    assert left_out.metrics == ["dsc", "hd95", "nsd", "iou"]
    assert "neither in the truth nor in the prediction" in left_out.reason
    assert result.per_case[1].per_class["liver"].dsc == 100
    assert result.per_case[1].mean.dsc is None


def test_a_false_positive_lowers_dsc_and_is_listed_for_hd95():
    result = summary([("a", "a", scored(40)), ("b", "b", invented())])

    assert result.mean == Scores(dsc=20, iou=10, nsd=20, hd95=60)
    (left_out,) = result.undefined
    assert left_out.metrics == ["hd95"]
    assert "no surface" in left_out.reason


def test_a_class_in_no_case_is_listed_and_has_no_mean():
    result = summary([("a", "a", scored(40), empty(2))], names=("liver", "cyst"))

    assert result.per_class["cyst"].dsc is None
    assert result.mean.dsc == 40
    whole, single = result.undefined
    assert (whole.case, whole.class_name, len(whole.metrics)) == (None, "cyst", 4)
    assert (single.case, single.class_name) == ("a", "cyst")


def test_an_unlabelled_case_is_listed():
    nothing = ClassScore(
        index=1, status="unlabelled", unit="mm", dsc=None, iou=None, nsd=None, hd95=None
    )

    result = summary([("a", "a", scored(40)), ("b", "b", nothing)])

    assert result.mean.dsc == 40
    assert result.undefined[0].reason == "no voxel of this case is labelled"


def test_samed_counts_everything_and_says_once_that_it_has_no_nsd():
    rows = [
        (
            case,
            case,
            ClassScore(index=1, status=status, unit="voxel", dsc=d, iou=d, nsd=None, hd95=0),
        )
        for case, status, d in (("a", "false-positive", 100), ("b", "both-empty", 0))
    ]

    result = summary(rows, protocol="samed")

    assert result.mean == Scores(dsc=50, iou=50, nsd=None, hd95=0)
    assert [(entry.case, entry.metrics) for entry in result.undefined] == [(None, ["nsd"])]
    assert result.unit == "voxel"


def test_millimetres_and_pixels_are_never_averaged():
    result = summary([("a", "a", scored(40)), ("b", "b", scored(60, unit="px"))])

    assert result.unit == "mixed"
    assert result.mean == Scores(dsc=50, iou=25, nsd=None, hd95=None)
    assert result.per_case[1].per_class["liver"].hd95 == 40
    assert [entry.metrics for entry in result.undefined] == [["hd95"], ["nsd"]]


def test_the_json_has_the_agreed_shape_and_no_nan():
    result = summary([("a", "a", scored(40)), ("b", "b", invented())])
    dumped = result.model_dump()

    assert list(dumped) == [
        "protocol",
        "mean",
        "per_class",
        "per_subject",
        "per_case",
        "undefined",
        "tolerance",
        "unit",
        "trust",
    ]
    assert dumped["mean"] == {"dsc": 20, "hd95": 60, "nsd": 20, "iou": 10}
    assert dumped["per_class"]["liver"]["std"]["hd95"] is None
    assert isinstance(dumped["per_case"], list)
    assert isinstance(dumped["undefined"], list)
    text = json.dumps(dumped, allow_nan=False)
    assert Evaluation.model_validate_json(text) == result


def test_refuses_no_cases_and_names_that_collide():
    with pytest.raises(InputError, match="0 cases"):
        summary([])
    with pytest.raises(InputError, match="2 classes have 1 different names"):
        summary([("a", "a", scored(1), scored(2, 2))], names=("liver", "liver"))


def test_a_case_must_have_a_score_for_every_class():
    with pytest.raises(ValueError, match="zip"):
        summary([("a", "a", scored(1), scored(2, 2))], names=("liver",))


def test_the_scores_of_a_case_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        CaseScores("a", "a", ()).case = "b"
