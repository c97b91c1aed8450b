"""The settings of a fit: what goes before what."""

from __future__ import annotations

import pytest

from samplar.config.fit import fit_config
from samplar.methods.registry import load_method


@pytest.mark.parametrize(
    ("given", "frames"),
    [
        ({}, (128, 192)),
        ({"size": 112}, (112, None)),
        ({"size": 112, "roi": {"otherwise": 160}}, (112, 160)),
        ({"roi": {"margin": 0.5}}, (128, 192)),
        ({"roi": {"otherwise": None}}, (128, None)),
    ],
)
def test_no_other_frame_replaces_a_size_that_was_given(given, frames):
    values = {"dataset": "x", "method": "samplar", **given}
    made = fit_config(values, preset="standard", method=load_method("samplar").defaults)
    assert (made.size, made.roi.otherwise) == frames
    assert made.roi.mode == "auto"
