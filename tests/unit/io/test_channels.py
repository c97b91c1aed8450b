from __future__ import annotations

import numpy as np
import pytest

from samplar.errors import InputError, UsageError
from samplar.io.channels import parse_channels, to_three


def image(*values, dtype=np.float32):
    return np.stack([np.array([[v, v + 1]], dtype=dtype) for v in values])


@pytest.mark.parametrize(
    ("given", "first_pixels"),
    [((5,), [5, 5, 5]), ((2, 4), [2, 4, 3]), ((7, 8, 9), [7, 8, 9])],
)
def test_one_two_or_three_channels_become_three(given, first_pixels):
    three = to_three(image(*given))
    assert three.shape == (3, 1, 2)
    assert three.dtype == np.float32
    np.testing.assert_array_equal(three[:, 0, 0], first_pixels)
    np.testing.assert_array_equal(three[:, 0, 1], np.add(first_pixels, 1))


def test_mean_of_two_does_not_overflow_integers():
    assert to_three(image(200, 250, dtype=np.uint8))[2, 0, 0] == 225


def test_constant_alpha_is_dropped_and_any_other_fourth_channel_is_not_guessed():
    rgba = np.concatenate([image(1, 2, 3), np.ones((1, 1, 2), dtype=np.float32)])
    np.testing.assert_array_equal(to_three(rgba), image(1, 2, 3))
    with pytest.raises(InputError, match=r"4 channels.*--channels 0,1,2.*\[channels.too_many\]"):
        to_three(image(1, 2, 3, 4))


def test_chosen_channels_are_taken_in_the_order_given():
    np.testing.assert_array_equal(to_three(image(1, 2, 3, 4), (3, 0, 1))[:, 0, 0], [4, 1, 2])
    np.testing.assert_array_equal(to_three(image(1, 2, 3, 4), (2,))[:, 0, 0], [3, 3, 3])


@pytest.mark.parametrize("channels", [(), (0, 1, 2, 3), (4,), (-1,)])
def test_impossible_choices_are_refused(channels):
    with pytest.raises(UsageError) as caught:
        to_three(image(1, 2, 3, 4), channels)
    assert caught.value.code == "channels.invalid"


def test_channels_are_parsed():
    assert parse_channels("2,0, 1") == (2, 0, 1)
    with pytest.raises(UsageError, match="'T1' is not"):
        parse_channels("T1")
