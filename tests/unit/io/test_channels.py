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


@pytest.mark.parametrize(
    ("channels", "says"),
    [
        ((), "0 channels chosen"),
        ((0, 1, 2, 3), "4 channels chosen"),
        ((4,), "channel 4 does not exist; the image has 4"),
        ((-1, 0, 9), "channel -1, 9 does not exist"),
    ],
)
def test_impossible_choices_are_refused(channels, says):
    with pytest.raises(UsageError, match=says) as caught:
        to_three(image(1, 2, 3, 4), channels)
    assert caught.value.code == "channels.invalid"


@pytest.mark.parametrize("channels", [(0,), (3, 0), (3, 3, 1)])
def test_one_to_three_channels_may_be_chosen(channels):
    assert len(to_three(image(1, 2, 3, 4), channels)) == 3


def test_two_chosen_of_many_get_their_mean():
    np.testing.assert_array_equal(to_three(image(1, 2, 3, 4), (3, 1))[:, 0, 0], [4, 2, 3])


@pytest.mark.parametrize("shape", [(5, 1, 2), (4, 0, 2)])
def test_only_the_fourth_of_four_channels_is_taken_for_an_alpha(shape):
    with pytest.raises(InputError, match=f"has {shape[0]} channels and SAM takes 3"):
        to_three(np.zeros(shape))


def test_a_constant_channel_before_the_last_is_no_alpha():
    given = np.concatenate([image(1, 2), np.ones((1, 1, 2), dtype=np.float32), image(3)])
    with pytest.raises(InputError):
        to_three(given)
    np.testing.assert_array_equal(to_three(given[:3]), given[:3])


def test_channels_are_parsed():
    assert parse_channels("2,0, 1") == (2, 0, 1)
    with pytest.raises(UsageError, match="'T1' is not"):
        parse_channels("T1")
