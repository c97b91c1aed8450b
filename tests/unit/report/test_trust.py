from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from samplar.evaluation.calibration import reliability
from samplar.evaluation.trust import Calibration, CasePoint, Held, TrustResult
from samplar.report.data import MethodResult, ReportData
from samplar.report.page import render
from samplar.report.squares import Dot, square_chart


def held(temperature):
    chance = np.random.default_rng(0)
    logits, truth = chance.normal(0, 2, (3, 1, 20, 20)), chance.integers(0, 3, (1, 20, 20))
    found = reliability(softmax(logits / temperature, axis=0), truth.astype(np.uint8))
    return Held(everywhere=found, region=found)


CALIBRATION = Calibration(
    calibrated=True,
    reason="",
    temperature=3.0,
    folds=2,
    share=0.3,
    exemplars=4,
    before=held(1.0),
    after=held(3.0),
)


def page(parsed, evaluation=None, **data):
    methods = () if evaluation is None else (MethodResult(name="m", evaluation=evaluation),)
    made = parsed(render(ReportData(dataset="d", created="now", methods=methods, **data)))
    dots = [attributes["class"] for tag, attributes in made.tags if tag == "circle"]
    return made.text, dots


def test_the_held_out_exemplars_are_drawn_before_and_after(parsed):
    text, dots = page(parsed, calibration=CALIBRATION)
    assert CALIBRATION.line()[1:] in text
    assert dots.count("before") == len(CALIBRATION.before.region.points())
    assert dots.count("after") == len(CALIBRATION.after.region.points())


def test_an_adapter_that_is_not_calibrated_is_said_to_be_so(parsed):
    reason = Calibration(calibrated=False, reason="2 exemplars, and k < 3 leaves too few")
    text, dots = page(parsed, calibration=reason)
    assert "not calibrated: 2 exemplars, and k < 3 leaves too few" in text
    assert dots == []


def test_nothing_is_said_of_what_is_not_known(parsed):
    assert "Trust" not in page(parsed)[0]


def test_expected_and_true_scores_are_drawn_case_by_case(parsed, evaluated):
    points = [CasePoint(case=f"<{n}>", expected=40.0 + n, true=50.0 + 2 * n) for n in range(5)]
    trust = TrustResult(
        spearman=1.0, cases=points, missed=[], calibrated=True, reliability=held(2.0)
    )
    scored = evaluated({"ann": (50, 60)}).model_copy(update={"trust": trust})
    text, dots = page(parsed, scored, calibration=CALIBRATION)
    assert dots.count("case") == 5
    assert "rank correlation 1.00" in text
    assert "Scored cases: error" in text
    assert "<3>" in text  # escaped in the page, whole for the reader


def test_a_dot_lies_where_its_shares_say(parsed):
    drawn = parsed(
        square_chart([Dot(0, 0, "a", "low"), Dot(1, 1, "a", "top")], title="t", axes=("x", "y"))
    )
    places = [(float(a["cx"]), float(a["cy"])) for tag, a in drawn.tags if tag == "circle"]
    (line,) = [a for tag, a in drawn.tags if tag == "line" and a["class"] == "equal"]
    ends = [(float(line["x1"]), float(line["y1"])), (float(line["x2"]), float(line["y2"]))]
    assert places == ends
    assert places[0][1] > places[1][1]


@pytest.mark.parametrize("count", [0, 5000])
def test_very_many_dots_are_thinned_out(parsed, count):
    dots = [Dot(0.5, 0.5, "a", "") for _ in range(count)]
    drawn = parsed(square_chart(dots, title="t", axes=("x", "y")))
    assert sum(tag == "circle" for tag, _ in drawn.tags) <= 600
