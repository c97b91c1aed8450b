"""Volumes as slices for SAM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samplar.errors import InputError
from samplar.io.affine import Affine
from samplar.io.intensity import IntensityRule
from samplar.io.view import View, three_channels
from samplar.io.volume import Volume

RULE = IntensityRule(kind="range", low=0, high=100)


def volume(channels: int) -> Volume:
    array = np.random.default_rng(0).integers(0, 101, (channels, 3, 4, 5)).astype(np.int16)
    return Volume(array, Affine(np.diag([-1.0, -1, 1, 1])), "mm", (Path("a.nii"),))


@pytest.mark.parametrize(
    ("channels", "chosen", "kept"),
    [(1, None, 1), (2, None, 2), (3, None, 3), (4, (3, 1, 0), 3), (1, (0,), 3)],
)
def test_up_to_three_channels_stay_unless_some_are_chosen(channels, chosen, kept):
    image = volume(channels)
    slices = View("axial", RULE, chosen).slices(image)
    assert slices.shape == (5, kept, 4, 3)
    assert slices.dtype == np.float32
    order = chosen or tuple(range(min(channels, 3)))
    for place, channel in enumerate(order):
        expected = image.array[channel].T / 100
        np.testing.assert_allclose(slices[:, place], expected, atol=1e-6)


def test_a_fourth_channel_that_is_empty_is_dropped():
    image = volume(4)
    image.array[3] = 100
    assert View("axial", RULE, None).slices(image).shape == (5, 3, 4, 3)
    image.array[3, 0, 0, 0] = 0
    with pytest.raises(InputError, match="4 channels"):
        View("axial", RULE, None).slices(image)


def test_a_plane_decides_what_a_slice_is():
    assert View("coronal", RULE, None).slices(volume(1)).shape == (4, 1, 5, 3)
    assert View("sagittal", RULE, None).slices(volume(1)).shape == (3, 1, 5, 4)


def test_grey_slices_become_three_equal_channels():
    slices = np.random.default_rng(0).random((2, 1, 4, 5), dtype=np.float32)
    three = three_channels(slices)
    assert three.shape == (2, 3, 4, 5)
    assert three.flags.c_contiguous
    assert (three == slices).all()


def test_three_channels_stay_as_they_are():
    slices = np.random.default_rng(0).random((2, 3, 4, 5), dtype=np.float32)
    assert np.array_equal(three_channels(slices), slices)
