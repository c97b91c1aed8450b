from __future__ import annotations

import json

import pytest
import yaml

from samplar.config.fit import FitConfig
from samplar.errors import InputError, OutputError, UsageError
from samplar.sam.precision import Precisions
from samplar.synthesis.draw import Draw
from samplar.training.run import open_run, run_digest

CONFIG = FitConfig(dataset="there/heart", seed=3)
SINGLE, HALF = Precisions("fp32", "fp32"), Precisions("fp32", "bf16")


def digest(config=CONFIG, *, exemplars="e", weights="w", precisions=SINGLE):
    return run_digest(config, exemplars=exemplars, weights=weights, precisions=precisions)


def changed(**update):
    return FitConfig.model_validate({**CONFIG.model_dump(), **update})


def test_makes_the_folder_with_those_above_it(tmp_path):
    run = open_run(tmp_path / "a" / "b", resume=False)
    assert run.path.is_dir()
    assert run.adapter == tmp_path / "a/b/adapter"
    assert run.journal == tmp_path / "a/b/metrics.jsonl"


def test_a_folder_with_a_run_is_taken_up_only_when_asked(tmp_path):
    open_run(tmp_path, resume=False).write_config(CONFIG)
    with pytest.raises(UsageError) as caught:
        open_run(tmp_path, resume=False)
    assert caught.value.code == "run.exists"
    assert open_run(tmp_path, resume=True).path == tmp_path


def test_a_place_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        open_run(tmp_path / "file", resume=False)


def test_the_settings_are_written_whole_and_read_back_the_same(tmp_path):
    run = open_run(tmp_path, resume=False)
    run.write_config(CONFIG)
    plain = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert FitConfig.model_validate(plain) == CONFIG
    assert plain["training"].keys() == type(CONFIG.training).model_fields.keys()


def test_manifest_and_draws_come_back(tmp_path):
    run = open_run(tmp_path, resume=False)
    run.write_manifest({"versions": {"torch": "2"}})
    assert run.read_manifest() == {"versions": {"torch": "2"}}
    draws = [Draw(exemplar=1), Draw(exemplar=0, border="reflect")]
    run.write_draws(draws)
    lines = (tmp_path / "draws.jsonl").read_text().splitlines()
    assert [Draw.model_validate_json(line) for line in lines] == draws
    assert json.loads(lines[0]) == {"exemplar": 1}


def test_a_folder_belongs_to_one_run(tmp_path):
    run = open_run(tmp_path, resume=False)
    run.check("first")
    run.claim("first", HALF)
    run.write_manifest({**run.read_manifest(), "versions": {}})
    run.check("first")
    run.claim("first", SINGLE)
    with pytest.raises(InputError) as caught:
        run.check("second")
    assert caught.value.code == "resume.other_run"
    kept = {"precision": "fp32", "trained_in": "bf16", "versions": {}}
    assert run.read_manifest() == {"run": "first", **kept}
    assert run.settled_precisions() == HALF


def test_a_run_of_an_earlier_version_goes_on_in_its_one_precision(tmp_path):
    run = open_run(tmp_path, resume=False)
    assert run.settled_precisions() is None
    run.write_manifest({"run": "first", "precision": "bf16"})
    assert run.settled_precisions() == Precisions("bf16", "bf16")


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_a_damaged_manifest_is_refused(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError) as caught:
        open_run(tmp_path, resume=True).check("first")
    assert caught.value.code == "run.manifest"


@pytest.mark.parametrize(
    "other",
    [
        {"dataset": "elsewhere/heart"},
        {"split": "other.json"},
        {"device": "cuda"},
        {"training": {"checkpoint_every": 7, "memory": 9.0, "recompute": True}},
    ],
)
def test_what_does_not_decide_the_result_may_differ(other):
    assert digest(changed(**other)) == digest()


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 4},
        {"method": "samed"},
        {"method_config": {"rank": 2}},
        {"size": 64},
        {"synthesis": {"strength": "off"}},
        {"training": {"lr": 0.5}},
        {"training": {"iterations": 299}},
        {"intensity": "percentile"},
    ],
)
def test_what_decides_the_result_may_not(other):
    assert digest(changed(**other)) != digest()


def test_exemplars_weights_and_precisions_decide_too():
    whole = digest(precisions=Precisions("bf16", "bf16"))
    others = digest(exemplars="f"), digest(weights="v"), digest(precisions=HALF), digest()
    assert len({whole, *others}) == 5
