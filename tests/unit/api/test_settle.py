"""What the number of exemplars decides is in the run, in the adapter, and in a cell's settings."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from samplar.api.fit import fit
from samplar.api.settle import settled
from samplar.methods.registry import load_method
from samplar.prediction.adapter import load_adapter, read_card

SMALL = {"width": 4, "levels": 3}


@pytest.mark.parametrize(
    ("given", "exemplars", "share", "note"),
    [
        (SMALL, 1, 0.25, "settings: method_config.unet_share = 0.25, with 1 exemplar"),
        ({}, 4, 0.5, "settings: method_config.unet_share = 0.5, with 4 exemplars"),
        ({"unet_share": 0.1}, 4, 0.1, ""),
    ],
)
def test_only_what_was_left_open_is_decided_and_told(config, given, exemplars, share, note):
    before = config(method="samplar", method_config=given)
    after = before.model_copy(update={"method_config": {**given, "unet_share": share}})
    assert settled(load_method("samplar"), before, exemplars) == (after, note)


def test_a_method_that_leaves_nothing_open_keeps_its_settings(config):
    before = config(method="decoder-only")
    assert settled(load_method("decoder-only"), before, 4) == (before, "")


def test_a_run_and_its_adapter_say_what_was_decided(config, silent, tmp_path):
    """And a run that is taken up again decides the same."""
    notes = []
    told = replace(silent, note=notes.append)
    settings = config(method="samplar", method_config=SMALL)
    fit(settings, tmp_path / "run", told=told)
    whole = {**SMALL, "unet_share": 0.4}
    assert "settings: method_config.unet_share = 0.4, with 2 exemplars" in notes
    written = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    assert written["method_config"] == whole
    assert read_card(tmp_path / "run").method_config == whole
    assert "beside.unet.masks.weight" in load_adapter(tmp_path / "run").adapter_state()
    before = (tmp_path / "run/adapter/adapter.safetensors").read_bytes()
    fit(settings, tmp_path / "run", told=told, resume=True)
    assert (tmp_path / "run/adapter/adapter.safetensors").read_bytes() == before
