from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from samplar.synthesis.appearance import AIR, apply_look, apply_tone, blurred
from samplar.synthesis.draw import Look, Tone

EVERYWHERE = torch.ones(32, 32)


def flat(value, side=32):
    return torch.full((1, side, side), value)


def noise(side=32):
    return torch.rand(2, side, side, generator=torch.Generator().manual_seed(0))


def looked(image, *, mean=0.5, **look):
    return apply_look(image, Look(**look), inside=EVERYWHERE, mean=mean)


def test_the_identity_returns_the_very_tensor():
    image = noise()
    assert apply_look(image, Look(), inside=EVERYWHERE, mean=0.3) is image
    assert apply_tone(image, Tone()) is image


def test_tone_is_gain_times_power_plus_offset_cut_to_the_unit_interval():
    tone = Tone(gamma=2, gain=1.5, offset=-0.1)
    assert apply_tone(flat(0.5), tone)[0, 0, 0] == pytest.approx(1.5 * 0.25 - 0.1)
    assert apply_tone(flat(0.1), tone)[0, 0, 0] == 0
    assert apply_tone(flat(1.0), tone)[0, 0, 0] == 1


@pytest.mark.parametrize(
    ("value", "look", "expected"),
    [
        (0.4, {"gamma": 2}, 0.16),
        (0.4, {"gain": 1.5}, 0.6),
        (0.4, {"offset": 0.1}, 0.5),
        (0.9, {"offset": 0.2}, 1.0),
        (0.4, {"contrast": 1.5}, (0.4 - 0.5) * 1.5 + 0.5),
        (0.4, {"inverted": True}, 0.6),
        (0.4, {"inverted": True, "gamma": 2, "gain": 0.5}, 0.18),
        (0.4, {"contrast": 0.5, "gain": 0.8, "offset": 0.1}, 0.8 * 0.45 + 0.1),
        (AIR / 2, {"offset": 0.08}, AIR / 2 + 0.04),
        (0.0, {"offset": 0.1, "contrast": 0.7, "gamma": 0.7}, 0.0),
    ],
)
def test_pointwise_changes(value, look, expected):
    assert float(looked(flat(value), **look).mean()) == pytest.approx(expected, abs=1e-6)


def test_only_valid_pixels_change():
    inside = torch.zeros(32, 32)
    inside[:, :20] = 1
    image = noise()
    changed = apply_look(image, Look(gain=0.5, noise=0.1, noise_seed=1), inside=inside, mean=0.5)
    assert torch.equal(changed[:, :, 20:], image[:, :, 20:])
    assert (changed[:, :, :20] != image[:, :, :20]).float().mean() > 0.99


def test_the_bias_field_is_an_exponential_of_legendre_products():
    # coefficients in order of degree: column, row, then P2(column), row x column, P2(row), ...
    changed = looked(flat(0.4), bias=(0.3, -0.2, 0.1, 0.15))
    row, column = 2 * 5 / 31 - 1, 2 * 20 / 31 - 1
    power = 0.3 * column - 0.2 * row + 0.1 * (3 * column**2 - 1) / 2 + 0.15 * row * column
    assert float(changed[0, 5, 20]) == pytest.approx(0.4 * math.exp(power), rel=1e-5)


def test_blur_is_scipys():
    image = noise()
    for sigma in (0.4, 1.0, 1.7):
        expected = gaussian_filter(
            image.numpy(),
            (0, sigma, sigma),
            mode="nearest",
            radius=(0, *[math.ceil(3 * sigma)] * 2),
        )
        assert np.abs(blurred(image, sigma).numpy() - expected).max() < 1e-5
    assert torch.equal(looked(image, blur=1.0), blurred(image, 1.0))
    assert blurred(image, 0.0) is image


def test_low_resolution_loses_fine_detail_and_keeps_the_mean():
    checker = torch.zeros(1, 32, 32)
    checker[:, ::2, ::2] = checker[:, 1::2, 1::2] = 1.0
    assert looked(checker, low_resolution=2.0) == pytest.approx(0.5)
    ramp = torch.linspace(0.2, 0.8, 32).expand(1, 32, 32)
    assert (looked(ramp, low_resolution=2.0) - ramp)[:, :, 2:-2].abs().max() < 0.01


def test_noise_has_its_sigma_and_its_seed():
    grey = flat(0.5, 32)
    first = looked(grey, noise=0.03, noise_seed=5)
    assert float((first - grey).std()) == pytest.approx(0.03, rel=0.1)
    assert abs(float((first - grey).mean())) < 0.003
    assert torch.equal(first, looked(grey, noise=0.03, noise_seed=5))
    assert not torch.equal(first, looked(grey, noise=0.03, noise_seed=6))
