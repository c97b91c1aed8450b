from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from samplar.errors import InputError, UsageError
from samplar.io.affine import Affine
from samplar.io.intensity import (
    PERCENTILE,
    RASTER,
    SOFT_TISSUE,
    IntensityRule,
    agreed_rule,
    choose_rule,
    is_raised_ct,
    parse_rule,
)
from samplar.io.volume import Volume


def volume(array, *, raster=False):
    affine = Affine.pixels() if raster else Affine.scaled((1, 1, 1))
    return Volume(np.asarray(array), affine, "px" if raster else "mm", ())


def test_window_is_linear_and_clipped():
    scaled = IntensityRule(kind="window", low=-160, high=240).apply(
        np.array([[-1000, -160, 40, 240, 3000]], dtype=np.int16)
    )
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, [[0, 0, 0.5, 1, 1]])


def test_percentiles_are_of_the_voxels_above_the_minimum_of_each_channel():
    air = np.zeros(500)
    ramp = np.arange(1, 102)
    image = np.stack([np.concatenate([air, ramp]), np.concatenate([air, 10 * ramp])])
    rule = IntensityRule(kind="percentile", low=10, high=90)
    assert rule.limits(image[0]) == (11, 91)
    scaled = rule.apply(image)
    np.testing.assert_allclose(scaled[0], scaled[1], atol=1e-6)
    np.testing.assert_allclose(scaled[0, 500 + 50], (51 - 11) / 80, atol=1e-6)


def test_rules_are_the_same_in_every_version():
    """An adapter that names a rule must scale as it did when it was trained."""
    rules = [str(rule) for rule in (PERCENTILE, RASTER, SOFT_TISSUE)]
    assert rules == ["percentile:0.5:99.5", "range:0:255", "window:-160:240"]


def test_values_of_16_bits_do_not_overflow_between_the_ends():
    rule = IntensityRule(kind="window", low=-30_000, high=30_000)
    scaled = rule.apply(np.array([[-30_000, 0, 15_000, 30_000]], dtype=np.int16))
    np.testing.assert_allclose(scaled, [[0, 0.5, 0.75, 1]])


def test_two_grey_values_become_black_and_white():
    np.testing.assert_array_equal(PERCENTILE.apply(np.array([[7, 7, 9, 9]])), [[0, 0, 1, 1]])


@pytest.mark.parametrize(
    "array",
    [
        np.full((1, 4), 7, dtype=np.uint8),
        np.array([[np.iinfo(np.int32).min, 0, np.iinfo(np.int32).max]], dtype=np.int32),
        np.array([[-1.7e308, 0, 1.7e308]]),
        np.array([[-3e38, 0, 3e38]], dtype=np.float32),
        np.array([[0, 1e-40]], dtype=np.float32),
        np.array([[-128, 127]], dtype=np.int8),
    ],
)
@pytest.mark.parametrize("rule", [PERCENTILE, SOFT_TISSUE, RASTER])
def test_extreme_images_stay_finite_and_within_0_and_1(array, rule):
    with np.errstate(all="raise", under="ignore"):
        scaled = rule.apply(array)
    assert scaled.dtype == np.float32
    assert np.isfinite(scaled).all()
    assert scaled.min() >= 0
    assert scaled.max() <= 1


def test_constant_image_is_black():
    assert not PERCENTILE.apply(np.full((2, 3, 3), 42.0)).any()


def test_large_integers_keep_their_differences():
    base = 2**30
    scaled = PERCENTILE.apply(np.array([[base, base + 1, base + 2, base + 3]], dtype=np.int32))
    assert len(np.unique(scaled)) == 3  # a float32 could not tell these apart


def test_the_rule_follows_the_kind_of_image():
    raster = volume(np.zeros((3, 4, 4, 1), np.uint8), raster=True)
    ct = volume(np.array([-1024, 0, 1500], np.int16).reshape(1, 3, 1, 1))
    ct_as_float = volume(np.array([-1024.0, 0, 1500]).reshape(1, 3, 1, 1))
    mr = volume(np.array([0, 100, 900], np.int16).reshape(1, 3, 1, 1))
    scaled_mr = volume(np.array([-600.5, 0, 3]).reshape(1, 3, 1, 1))
    assert choose_rule([raster, raster]) == RASTER
    assert choose_rule([ct, ct_as_float]) == SOFT_TISSUE
    assert choose_rule([mr]) == choose_rule([scaled_mr]) == PERCENTILE
    assert choose_rule([ct, mr]) == PERCENTILE
    assert choose_rule([volume(np.zeros((1, 4, 4, 1), np.uint16), raster=True)]) == PERCENTILE
    assert choose_rule([volume(np.zeros((3, 4, 4, 1), np.uint8))]) == PERCENTILE
    with pytest.raises(InputError, match="0 images") as caught:
        agreed_rule([])
    assert caught.value.code == "intensity.no_images"


@pytest.mark.parametrize(("lowest", "rule"), [(-500, SOFT_TISSUE), (-499, PERCENTILE)])
def test_whole_numbers_down_to_air_are_ct(lowest, rule):
    array = np.array([lowest, 0, 100], np.int16).reshape(1, 3, 1, 1)
    assert choose_rule([volume(array)]) == choose_rule([volume(array.astype(float))]) == rule


@pytest.mark.parametrize(
    "text",
    [
        "percentile:0:100",
        "percentile:0.5:99.5",
        "window:-125:275",
        "range:0:65535",
        "percentile:1:99",
    ],
)
def test_rules_are_written_as_they_are_read(text):
    assert str(parse_rule(text)) == text


def test_bare_percentile_is_the_default():
    assert parse_rule("percentile") == PERCENTILE == IntensityRule()


@pytest.mark.parametrize("text", ["window", "window:1", "window:a:b", "range:1:2:3"])
def test_malformed_rules_are_refused(text):
    with pytest.raises(UsageError) as caught:
        parse_rule(text)
    assert caught.value.code == "intensity.invalid"


@pytest.mark.parametrize(
    "text",
    ["window:5:5", "window:9:1", "percentile:-1:50", "percentile:1:101", "ct:0:1", "window:nan:1"],
)
def test_impossible_rules_are_refused(text):
    with pytest.raises(UsageError) as caught:
        parse_rule(text)
    assert caught.value.code == "intensity.invalid"


def test_rule_refuses_unknown_settings():
    with pytest.raises(ValidationError):
        IntensityRule.model_validate({"kind": "window", "low": 0, "high": 1, "gamma": 2})


def ct(soft: float, *, bone: float = 0.2, size: int = 2000) -> np.ndarray:
    """Return stored values of a body: so much of it soft tissue and bone, the rest fat; and air."""
    chance = np.random.default_rng(0)
    parts = np.array([soft, bone, 1 - soft - bone])
    middles = np.repeat([1024 + 40, 1024 + 700, 1024 - 250], (parts * size).astype(int))
    body = middles + chance.integers(-60, 61, len(middles))
    return np.concatenate([np.zeros(size), body]).astype(np.int16)[None]


def test_hounsfield_units_with_1024_added_are_told_by_their_soft_tissue():
    assert is_raised_ct(ct(0.6))
    assert is_raised_ct(ct(0.6).astype(np.float32))
    assert not is_raised_ct(ct(0.4))


@pytest.mark.parametrize(
    "array",
    [
        ct(0.6) - np.int16(1024),  # Hounsfield units themselves
        ct(0.6) + np.float32(0.25),
        ct(0.6) // 4,
        ct(0.6).clip(0, 255).astype(np.uint8),
        np.zeros((1, 9), dtype=np.int16),
        np.zeros((1, 0), dtype=np.int16),
    ],
)
def test_other_grey_values_are_not(array):
    assert not is_raised_ct(array)
