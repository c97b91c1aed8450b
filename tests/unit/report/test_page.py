from __future__ import annotations

import base64
import hashlib
import re

import pytest
from pydantic import ValidationError

from samplar.report.data import MethodResult, Picture, ReportData
from samplar.report.page import render
from samplar.report.shell import NOT_A_DEVICE

HOSTILE = "<script>alert(1)</script>\"'&\u202e"


@pytest.fixture(scope="module")
def page(report, parsed):
    return parsed(render(report))


def hostile(report: ReportData, evaluated, png: bytes) -> ReportData:
    evaluation = evaluated({HOSTILE: (50, None), "p2": (40, 30)}, names=(HOSTILE, "b"))
    return report.model_copy(
        update={
            "dataset": HOSTILE,
            "created": HOSTILE,
            "methods": (
                MethodResult(name=HOSTILE, weights=HOSTILE, evaluation=evaluation),
                MethodResult(name="b", baseline=True, evaluation=evaluation),
            ),
            "slices": tuple(
                picture.model_copy(update={"case": HOSTILE, "subject": HOSTILE})
                for picture in report.slices
            ),
            "exemplars": (Picture(png=png, caption=HOSTILE),),
            "settings": {HOSTILE: {"x": HOSTILE}},
            "versions": {HOSTILE: HOSTILE},
            "notes": (HOSTILE,),
        }
    )


def test_every_element_is_closed(page):
    assert page.open == []
    assert page.tags[0][0] == "html"


def test_nothing_comes_from_outside(page, report):
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "form", "base"}
        for name, value in attributes.items():
            assert name not in {"href", "srcset", "style", "action"}
            assert not name.startswith("on")
            if name == "src":
                assert value.startswith("data:image/png;base64,")
    assert not re.search(r"https?:|//|url\(|@import", page.style)
    assert not re.search(r"https?://", render(report))


def test_the_policy_allows_exactly_the_one_style_sheet(page):
    (policy,) = [
        attributes["content"]
        for tag, attributes in page.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()

    assert policy.split("; ") == [
        "default-src 'none'",
        "img-src data:",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_says_what_it_must(page):
    titles = [word for word in page.words if word in SECTIONS]

    assert titles == SECTIONS
    for words in (
        "k = 5 exemplars",
        "weights lite-medsam",
        "3 cases of 3 subjects",
        "protocol strict",
        "45.0 DSC points above the best trivial baseline",
        "Subjects: lunch",
        "Subjects: LoRA",
        "Left out of the means: lunch, LoRA, copy",
        "DSC 12.3",
        "case p3_ct, slice 7, subject p3",
        "20 iterations, last loss 0.1",
        "p9_ct, slice 4",
        "four draws",
        "training.lr",
        "2.13.0",
        NOT_A_DEVICE,
    ):
        assert words in page.text
    assert "Subjects: copy" not in page.text


SECTIONS = ["Scores", "Test slices", "Training", "Exemplars", "Synthesis", "Run"]


def test_the_best_of_each_class_is_marked(page):
    cells = [attributes.get("class") for tag, attributes in page.tags if tag == "td"]

    assert cells.count("number best") == 3 * 4


def test_hostile_names_are_only_text(report, evaluated, png, parsed):
    text = render(hostile(report, evaluated, png))
    page = parsed(text)

    assert page.open == []
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<script>" not in text
    assert "\u202e" not in text
    assert "<script>alert(1)</script>\"'&\\u202e" in page.text


def test_sections_without_data_are_left_out(report, parsed):
    bare = ReportData(dataset="A", created="today", methods=report.methods[:1])

    page = parsed(render(bare))

    assert [word for word in page.words if word in SECTIONS] == ["Scores"]
    assert "img" not in {tag for tag, _ in page.tags}


def test_the_same_data_give_the_same_page_also_after_a_round_trip(report):
    again = ReportData.model_validate_json(report.model_dump_json())

    assert again == report
    assert render(again) == render(report)


def test_refuses_methods_that_cannot_be_compared(report, evaluated):
    other = MethodResult(name="z", evaluation=evaluated({"a": (1, 2)}, names=("x", "y")))

    with pytest.raises(ValidationError, match="different classes"):
        ReportData(dataset="A", created="today", methods=(*report.methods, other))
