"""Any number of image channels to the three SAM takes; a choice among more is never guessed."""

from __future__ import annotations

import numpy as np

from samplar.errors import InputError, UsageError

SAM_CHANNELS = 3


def to_three(array: np.ndarray, channels: tuple[int, ...] | None = None) -> np.ndarray:
    """Return an image of three channels: (c, ...) to (3, ...), same dtype.

    One channel is repeated; two become first, second and their mean; three stay as they are. Of
    four, a constant last one (an empty alpha channel) is dropped.

    Args:
        array: image, channels first.
        channels: one to three channel numbers, from 0, to take instead, in this order.

    Raises:
        UsageError: `channels.invalid` for a number the image does not have, or too many of them.
        InputError: `channels.too_many` if the choice is left open.
    """
    if channels is not None:
        array = array[_checked(channels, len(array))]
    elif len(array) == SAM_CHANNELS + 1 and _is_constant(array[-1]):
        array = array[:SAM_CHANNELS]
    if len(array) == 1:
        return np.repeat(array, SAM_CHANNELS, axis=0)
    if len(array) == 2:
        mean = array.mean(axis=0, keepdims=True, dtype=np.float64).astype(array.dtype)
        return np.concatenate([array, mean])
    if len(array) == SAM_CHANNELS:
        return array
    raise InputError(
        f"the image has {len(array)} channels and SAM takes {SAM_CHANNELS}",
        fix="Say which ones to use, for example --channels 0,1,2",
        code="channels.too_many",
    )


def parse_channels(text: str) -> tuple[int, ...]:
    """Read `--channels`, such as `0,1,2`.

    Raises:
        UsageError: `channels.invalid`.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise _invalid(f"{text!r} is not a list of channel numbers") from error


def _checked(channels: tuple[int, ...], available: int) -> list[int]:
    if not 1 <= len(channels) <= SAM_CHANNELS:
        raise _invalid(f"{len(channels)} channels chosen")
    absent = [channel for channel in channels if not 0 <= channel < available]
    if absent:
        listing = ", ".join(map(str, absent))
        raise _invalid(f"channel {listing} does not exist; the image has {available}")
    return list(channels)


def _invalid(problem: str) -> UsageError:
    fix = "Give one to three channel numbers counted from 0, for example --channels 0,1,2"
    return UsageError(problem, fix=fix, code="channels.invalid")


def _is_constant(channel: np.ndarray) -> bool:
    return channel.size > 0 and bool(channel.min() == channel.max())
