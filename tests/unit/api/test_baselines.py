"""The baselines a user would train instead: a whole SAM, and a U-Net without one."""

from __future__ import annotations

from dataclasses import replace

import torch

from samplar.api.fit import fit
from samplar.api.predict import find_inputs, predict
from samplar.prediction.adapter import load_adapter
from samplar.prediction.predict import Options
from samplar.sam.precision import Precisions
from samplar.training.fit import adapt as really_adapt

UNET = {"method": "unet", "method_config": {"width": 4, "levels": 3}}


def test_the_manifest_says_how_many_numbers_train_at_which_rate(config, silent, tmp_path):
    fitted = fit(config(method="full", method_config={"depth": 1}), tmp_path / "run", told=silent)
    rates = fitted.run.read_manifest()["rates"]
    trained = load_adapter(tmp_path / "run").trained()
    encoder = sum(p.numel() for name, p in trained.items() if name.startswith("image_encoder."))
    whole = sum(p.numel() for p in trained.values())
    assert rates == {"1": whole - encoder, "0.2": encoder}
    assert list(rates) == ["1", "0.2"]


def test_a_unet_is_fitted_saved_loaded_and_predicts(config, silent, volumes, tmp_path):
    fitted = fit(config(**UNET), tmp_path / "run", told=silent)
    assert fitted.run.read_manifest()["rates"].keys() == {"1"}
    assert "unet" in fitted.page.read_text()
    state = load_adapter(tmp_path / "run").adapter_state()
    assert all(name.startswith("unet.") for name in state)
    assert not any(torch.equal(tensor, torch.zeros_like(tensor)) for tensor in state.values())
    predicted = predict(
        tmp_path / "run",
        find_inputs([volumes]),
        tmp_path / "out",
        options=Options(),
        device="cpu",
        on_case=lambda done, name: None,
    )
    assert len(predicted.outcome.done) == 3
    assert predicted.outcome.failed == []


def test_without_sam_there_is_nothing_to_try_bf16_on(config, silent, tmp_path, monkeypatch):
    seen, notes = [], []

    def watch(*given, precisions, **named):
        seen.append(precisions)
        really_adapt(*given, precisions=precisions, **named)

    monkeypatch.setattr("samplar.api.fit.chosen_precision", lambda wanted, device: "bf16")
    monkeypatch.setattr("samplar.api.fit.adapt", watch)
    settings = config(**UNET, training={"iterations": 1, "pool": 2, "batch": 2})
    fit(settings, tmp_path / "run", told=replace(silent, note=notes.append))
    assert seen == [Precisions("fp32", "bf16")]
    assert any("unet does not use SAM" in note for note in notes)
