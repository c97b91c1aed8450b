from __future__ import annotations

from samplar.report.data import MethodResult
from samplar.report.headline import headline, verdict


def test_says_how_far_it_is_above_the_best_baseline(report):
    assert verdict(report.methods) == [
        "45.0 DSC points above the best trivial baseline, copy (20.0)."
    ]


def test_says_when_learning_did_not_help(report, evaluated):
    strong = evaluated({"p1": (95, 95)})
    methods = (
        *report.methods,
        MethodResult(name="empty", baseline=True, evaluation=strong),
    )

    (sentence,) = verdict(methods)

    assert sentence.startswith("Not better than the trivial baseline empty (95.0)")


def test_says_nothing_without_a_baseline(report):
    assert verdict(report.methods[:2]) == []


def test_several_methods_are_drawn_beside_each_other(report):
    drawn = headline(report)

    assert "Mean DSC of each method" in drawn
    assert ">65.0<" in drawn
    assert "One case failed." in drawn


def test_one_method_is_drawn_class_by_class(report):
    drawn = headline(report.model_copy(update={"methods": report.methods[:1]}))

    assert "Mean DSC of each class" in drawn
    assert ">spleen<" in drawn


def test_a_single_subject_has_no_spread(report, evaluated):
    method = MethodResult(name="x", evaluation=evaluated({"p1": (90, 80)}))

    drawn = headline(report.model_copy(update={"methods": (method,)}))

    assert "mean DSC over 1 subject<" in drawn
    assert "±" not in drawn
