"""Whoever reads the truth says so: in the adapter, while predicting, and beside the scores."""

from __future__ import annotations

import json

import pytest
from command import QUICK, samplar
from phantom_sets import nifti

from samplar.api.rewrite import read_evaluation, rewrite_report
from samplar.prediction.adapter import read_card


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marks")
    data = nifti(folder / "set")
    words = ("-k", 1, "-M", "cheap-lunch", *QUICK)
    assert samplar("fit", data, "-o", folder / "run", *words).status == 0
    return folder


def prompted(base, how):
    """Change how the finished adapter is prompted, by hand as the docs say."""
    path = base / "run" / "adapter" / "adapter.json"
    card = json.loads(path.read_text())
    card.pop("card_sha256", None)
    card["method_config"]["test_prompts"] = how
    path.write_text(json.dumps(card))
    out = base / how
    ran = samplar("predict", base / "run", base / "set", "-o", out, "--json")
    assert ran.status == 0, ran.err
    assert samplar("evaluate", out, base / "set", "-o", base / f"{how}.json").status == 0
    return json.loads(ran.out)["notes"]


def page(base, how, **baselines):
    return rewrite_report(
        base / "run", scored=(base / how, base / "set"), baselines=baselines
    ).read_text()


def test_without_points_there_is_nothing_to_say(base):
    assert not any("reads the truth" in note for note in prompted(base, "none"))
    assert read_card(base / "run").shown_name == "cheap-lunch"
    assert "(oracle" not in page(base, "none")


def test_its_own_points_are_named_and_are_no_oracle(base):
    assert not any("reads the truth" in note for note in prompted(base, "locator"))
    assert read_card(base / "run").shown_name == "cheap-lunch (its own points)"
    assert "cheap-lunch (its own points)" in page(base, "locator")


def test_an_oracle_is_marked_wherever_it_is_shown(base):
    notes = prompted(base, "oracle")
    assert notes[0].startswith("cheap-lunch (oracle points) reads the truth")
    assert "cheap-lunch (oracle points)" in page(base, "oracle")
    other = read_evaluation(base / "oracle.json")
    shown = page(base, "oracle", **{"zero-shot": other, "my-own": other})
    assert "zero-shot (oracle" in shown
    assert "my-own (oracle" not in shown


def test_an_adapter_trained_for_an_oracle_says_so_in_words(base, tmp_path):
    setting = ("--set", "method_config.test_prompts=oracle")
    words = ("-k", 1, "-M", "cheap-lunch", *setting, *QUICK)
    assert samplar("fit", base / "set", "-o", tmp_path / "run", *words).status == 0
    text = (tmp_path / "run" / "adapter" / "README.md").read_text()
    assert "`cheap-lunch (oracle points)`" in text
