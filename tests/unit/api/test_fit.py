from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from samplar.api.fit import fit
from samplar.config.fit import FitConfig
from samplar.errors import InputError, UsageError, WeightsError
from samplar.exemplars import roi
from samplar.exemplars.manifest import read_manifest
from samplar.prediction.adapter import load_adapter, read_card
from samplar.prediction.held_out import HeldOut
from samplar.sam.model import Sam
from samplar.sam.precision import Precisions
from samplar.sam.seeded import digest_of
from samplar.training.precision import Probe


def adapter_digest(run):
    return digest_of(load_adapter(run.path).adapter_state())


def test_one_call_makes_a_whole_run_folder(config, silent, tmp_path):
    notes = []
    told = replace(silent, note=notes.append)
    settings = config(method="samed-s", seed=3)
    fitted = fit(settings, tmp_path / "run", told=told)
    found = {path.name for path in (tmp_path / "run").iterdir()}
    assert found >= {
        "adapter",
        "checkpoints",
        "config.yaml",
        "draws.jsonl",
        "exemplars.yaml",
        "manifest.json",
        "metrics.jsonl",
        "report.html",
    }
    assert any("estimate" in note for note in notes)
    written = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    assert FitConfig.model_validate(written) == settings
    card = read_card(tmp_path / "run")
    assert (card.method, card.seed, card.class_names) == ("samed-s", 3, ("left", "right"))
    picks = read_manifest(tmp_path / "run/exemplars.yaml").picks
    assert [(e.case, e.slice) for e in card.exemplars] == [("", number) for _, number in picks]
    model = load_adapter(tmp_path / "run")
    cost = fitted.run.read_manifest()["resources"]
    assert cost["trainable_parameters"] == sum(p.numel() for p in model.trained().values())
    assert cost["adapter_bytes"] == (fitted.run.adapter / "adapter.safetensors").stat().st_size
    assert fitted.estimate is not None
    assert fitted.preparing >= 0
    assert fitted.adapting > 0


class StopError(Exception):
    """What a test raises to end a run in the middle."""


def test_a_stopped_run_goes_on_to_the_same_adapter(config, silent, tmp_path):
    whole = fit(config(), tmp_path / "whole", told=silent)

    def stop(done, loss):
        if loss is not None and done == 3:
            raise StopError

    with pytest.raises(StopError):
        fit(config(), tmp_path / "cut", told=replace(silent, step=stop))
    notes = []
    with pytest.raises(UsageError) as caught:
        fit(config(), tmp_path / "cut", told=silent)
    assert caught.value.code == "run.exists"
    resumed = fit(config(), tmp_path / "cut", told=replace(silent, note=notes.append), resume=True)
    assert "resumed after iteration 2" in notes
    assert adapter_digest(resumed.run) == adapter_digest(whole.run)


def test_a_region_of_interest_is_learnt_noted_and_used(
    config, silent, wider, tmp_path, monkeypatch
):
    monkeypatch.setattr(roi, "LARGEST", 1.0)  # the discs fill their slices
    notes = []
    told = replace(silent, note=notes.append)
    settings = config(dataset=wider, roi={"mode": "auto", "margin": 0})
    fitted = fit(settings, tmp_path / "run", told=told)
    card = read_card(tmp_path / "run")
    assert 0 < card.roi.share <= 1
    assert f"region of interest: a window of {card.roi.share:.0%} of the longer side" in notes
    lines = (tmp_path / "run/draws.jsonl").read_text().splitlines()
    assert ["roi" in line for line in lines] == [False] * 3 + [True] * 3
    plain = fit(config(dataset=wider), tmp_path / "plain", told=silent)
    assert read_card(tmp_path / "plain").roi is None
    assert adapter_digest(fitted.run) != adapter_digest(plain.run)
    sheets = [(tmp_path / name / "synthesis.png").read_bytes() for name in ("run", "plain")]
    assert sheets[0] != sheets[1]  # close-ups are shown


def stopped(config, silent, folder):
    """Run a fit and stop it in its training."""

    def stop(done, loss):
        if loss is not None and done == 3:
            raise StopError

    with pytest.raises(StopError):
        fit(config, folder, told=replace(silent, step=stop), report=False)


@pytest.fixture
def looking(config, wider, monkeypatch):
    """Return settings of a fit with a window that held-out exemplars judge."""
    monkeypatch.setattr(roi, "LARGEST", 1.0)  # the discs fill their slices
    return config(dataset=wider, k=3, roi={"mode": "auto", "margin": 0})


@pytest.mark.parametrize("used", [True, False])
def test_a_run_that_goes_on_looks_as_often_as_it_has_learnt_to(
    looking, silent, tmp_path, monkeypatch, used
):
    def settle_on(use):
        def settle(held):
            held.roi = held.roi if use else None
            return ""

        monkeypatch.setattr(HeldOut, "settle", settle)

    settle_on(used)
    whole = fit(looking, tmp_path / "whole", told=silent, report=False)
    for calibrate in (True, False):
        folder = tmp_path / f"cut-{calibrate}"
        settle_on(used)
        stopped(looking, silent, folder)
        settle_on(not used)  # as it might come out on another machine
        trust = looking.trust.model_copy(update={"calibrate": calibrate})
        changed = looking.model_copy(update={"trust": trust})
        resumed = fit(changed, folder, told=silent, resume=True, report=False)
        assert adapter_digest(resumed.run) == adapter_digest(whole.run)
        assert (read_card(folder).roi is not None) == used
        assert resumed.run.read_manifest()["window"] == used
        assert not (folder / "folds").exists()


def test_a_run_that_goes_on_does_not_choose_its_exemplars_again(
    config, silent, tmp_path, monkeypatch
):
    settings = config(strategy="diverse")
    whole = fit(settings, tmp_path / "whole", told=silent, report=False)
    stopped(settings, silent, tmp_path / "cut")
    monkeypatch.setattr("samplar.api.fit.embedder", lambda *_, **__: pytest.fail)
    resumed = fit(settings, tmp_path / "cut", told=silent, resume=True, report=False)
    assert adapter_digest(resumed.run) == adapter_digest(whole.run)


def test_a_run_goes_on_with_the_exemplars_it_has_or_not_at_all(config, silent, tmp_path):
    settings = config(strategy="random")
    fitted = fit(settings, tmp_path / "run", told=silent, report=False)
    other = fit(config(strategy="random", seed=5), tmp_path / "other", told=silent, report=False)
    same = settings.model_copy(update={"exemplars": fitted.run.exemplars})
    fit(same, tmp_path / "run", told=silent, resume=True, report=False)
    elsewhere = settings.model_copy(update={"exemplars": other.run.exemplars})
    with pytest.raises(InputError) as caught:
        fit(elsewhere, tmp_path / "run", told=silent, resume=True, report=False)
    assert caught.value.code == "resume.other_run"


def test_structures_that_fill_the_exemplars_have_no_region(config, silent, wider, tmp_path):
    notes = []
    settings = config(dataset=wider, roi={"mode": "auto"})
    fit(settings, tmp_path / "run", told=replace(silent, note=notes.append))
    assert read_card(tmp_path / "run").roi is None
    assert any("the structures fill the exemplars" in note for note in notes)


def test_where_there_is_no_window_the_frame_may_be_another(
    config, silent, wider, tmp_path, monkeypatch
):
    notes, asked = [], []
    monkeypatch.setattr(Sam, "check_size", lambda sam, size: asked.append(size))
    told = replace(silent, note=notes.append)
    settings = config(dataset=wider, roi={"mode": "auto", "otherwise": 64})
    whole = fit(settings, tmp_path / "run", told=told)
    assert read_card(tmp_path / "run").size == 64
    assert yaml.safe_load((tmp_path / "run/config.yaml").read_text())["size"] == 64
    assert "frame: 64 px in place of 32, because there is no window" in notes
    again = fit(config(dataset=wider, size=64), tmp_path / "plain", told=silent)
    assert adapter_digest(whole.run) == adapter_digest(again.run)
    assert asked == [32, 64, 64]
    monkeypatch.setattr(roi, "LARGEST", 1.0)
    near = config(dataset=wider, roi={"mode": "auto", "margin": 0, "otherwise": 64})
    fit(near, tmp_path / "near", told=silent)
    assert read_card(tmp_path / "near").size == 32


@pytest.mark.parametrize("method", ["copy-nearest", "sam-med2d"])
def test_methods_that_cannot_learn_from_a_region_have_none(config, silent, tmp_path, method):
    notes = []
    settings = config(method=method, roi={"mode": "auto"})
    fit(settings, tmp_path / "run", told=replace(silent, note=notes.append))
    assert read_card(tmp_path / "run").roi is None
    assert any(note.startswith("region of interest: off") for note in notes)


def test_other_settings_do_not_go_on_with_a_run(config, silent, tmp_path):
    fit(config(), tmp_path / "run", told=silent)
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    with pytest.raises(InputError) as caught:
        fit(config(seed=9), tmp_path / "run", told=silent, resume=True)
    assert caught.value.code == "resume.other_run"
    assert {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"method": "samedd"}, "methods.unknown"),
        ({"method": "samed", "method_config": {"rnk": 1}}, "config.invalid"),
        ({"device": "cuda:99"}, "device.absent"),
        ({"weights": "tinny"}, "weights.unknown"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    config, silent, tmp_path, settings, code
):
    with pytest.raises(UsageError) as caught:
        fit(config(**settings), tmp_path / "run", told=silent)
    assert caught.value.code == code
    assert list((tmp_path / "run").iterdir()) == []


def test_absent_weights_are_not_fetched(config, silent, tmp_path, monkeypatch):
    monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path / "cache"))
    with pytest.raises(WeightsError) as caught:
        fit(config(weights="lite-medsam"), tmp_path / "run", told=silent)
    assert caught.value.code == "weights.absent"


@pytest.mark.parametrize("method", ["copy-nearest", "linear-probe", "zero-shot"])
def test_methods_without_training_are_fitted_too(config, silent, tmp_path, method):
    fitted = fit(config(method=method), tmp_path / "run", told=silent)
    assert fitted.estimate is None
    assert not fitted.run.journal.exists()
    assert load_adapter(tmp_path / "run").method.card.name == method


def test_diverse_exemplars_are_chosen_by_embedding(config, silent, tmp_path):
    stages = []
    told = replace(silent, stage=lambda name, count: stages.append(name))
    fit(config(strategy="diverse", method="copy-nearest"), tmp_path / "run", told=told)
    assert stages[0] == "looking at the candidates"
    assert read_manifest(tmp_path / "run/exemplars.yaml").strategy == "diverse"


def probe(agreement, half):
    return Probe(agreement, full=1.0, half=half)


PROBED = {
    "both agree": (probe(1.0, 0.5), probe(0.999, 0.5), Precisions("bf16", "bf16"), "bf16"),
    "the trained one does not": (
        probe(1.0, 0.5),
        probe(0.9, 0.5),
        Precisions("bf16", "bf16"),
        "fp32",
    ),
    "SAM does not": (probe(0.9, 0.5), None, Precisions("fp32", "bf16"), "fp32"),
    "it is slower": (probe(1.0, 1.5), None, Precisions("fp32", "fp32"), "fp32"),
}


@pytest.mark.parametrize("case", PROBED)
def test_bf16_is_tried_on_the_exemplars_where_the_processor_has_it(
    config, silent, tmp_path, monkeypatch, case
):
    before, after, chosen, predicts_in = PROBED[case]
    monkeypatch.setattr("samplar.api.fit.chosen_precision", lambda wanted, device: "bf16")
    monkeypatch.setattr("samplar.api.fit.probe_sam", lambda sam, samples: before)
    monkeypatch.setattr("samplar.api.fit.probe_model", lambda model, samples: after)
    notes = []
    short = {"iterations": 4, "pool": 6, "batch": 2, "checkpoint_every": 2}
    settings = config(training=short)
    fitted = fit(settings, tmp_path / "run", told=replace(silent, note=notes.append))
    assert fitted.run.settled_precisions() == chosen
    assert ("precision: what trains computes in bf16" in notes) == (case == "SAM does not")
    card = read_card(tmp_path / "run")
    assert card.precision == predicts_in
    assert card.agreement == (None if after is None else after.agreement)
    assert notes.count(before.line()) == 1
    monkeypatch.setattr("samplar.api.fit.probe_sam", None)  # a run that goes on does not ask again
    fit(settings, tmp_path / "run", told=silent, resume=True)


def test_of_what_trains_nothing_is_said_where_nothing_does(config, silent, tmp_path, monkeypatch):
    monkeypatch.setattr("samplar.api.fit.chosen_precision", lambda wanted, device: "bf16")
    monkeypatch.setattr("samplar.api.fit.probe_sam", lambda sam, samples: probe(0.9, 0.5))
    notes = []
    told = replace(silent, note=notes.append)
    fit(config(method="copy-nearest", training={}), tmp_path / "run", told=told)
    assert sum("precision" in note for note in notes) == 1
