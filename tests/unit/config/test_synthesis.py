from __future__ import annotations

import math

import pytest

from samplar.config.base import build
from samplar.config.synthesis import SynthesisConfig, log_bounds
from samplar.errors import UsageError


def test_strengths():
    assert SynthesisConfig.off().factor == 0
    assert SynthesisConfig().factor == 1
    assert build(SynthesisConfig, {"strength": "strong"}).factor == 1.5


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mix": {"exemplar": 0, "whole": 0, "group": 0, "organs": 0}}, "at least one weight"),
        ({"backgrounds": {"own": 0, "cross": 0, "cross_clean": 0}}, "at least one weight"),
        ({"placing": {"scale": [1.2, 0.8]}}, "the lower one first"),
        ({"placing": {"scale": [0, 1]}}, "two positive numbers"),
        ({"placing": {"rotation": 200}}, "placing.rotation"),
        ({"bending": {"amplitude": 0.1, "cells": 10}}, "at most 0.032 is safe"),
        ({"class_probability": 1.2}, "class_probability"),
        ({"strength": "huge"}, "strength"),
        ({"mask_blurr": 1}, "did you mean mask_blur"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, said):
    with pytest.raises(UsageError, match=said):
        build(SynthesisConfig, wrong)


def test_settings_survive_a_round_trip():
    config = build(SynthesisConfig, {"mix": {"whole": 2}, "look": {"gamma": [0.5, 2]}})
    assert SynthesisConfig.model_validate_json(config.model_dump_json()) == config
    assert log_bounds(config.look.gamma) == pytest.approx((-math.log(2), math.log(2)))
