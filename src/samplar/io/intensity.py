"""Grey values to [0, 1]: one rule for a data set, recorded in the adapter, the same ever after."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import model_validator

from samplar.config.base import Strict, build
from samplar.errors import InputError, UsageError

if TYPE_CHECKING:
    from samplar.io.volume import Volume

Kind = Literal["percentile", "window", "range"]
AIR_HU = -500

RAISED = 1024
"""What many files of CT have added to Hounsfield units, so that no value is negative."""
SOFT, SOFT_SHARE = 100, 0.5
"""Soft tissue lies within so many units of water, and so much of a body, bone included, does."""


class IntensityRule(Strict):
    """How grey values become [0, 1]: everything below low is 0, above high is 1, linear between.

    Attributes:
        kind: `percentile`: low and high are percentiles (0..100) of each channel's voxels above its
            minimum, because the minimum is mostly padding or air; `window`: low and high are grey
            values, in Hounsfield units for CT; `range`: the full scale of a raster image.
    """

    kind: Kind = "percentile"
    low: float = 0.5
    high: float = 99.5

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} must be below high {self.high:g}")
        if self.kind == "percentile" and not (self.low >= 0 and self.high <= 100):
            raise ValueError("percentiles lie in 0..100")
        return self

    def apply(self, array: np.ndarray) -> np.ndarray:
        """Scale an image (c, ...) of any dtype to float32 in [0, 1]; a constant channel becomes 0.

        Percentiles are taken over the whole array given, so give the volume, not a slice of it.
        """
        out = np.empty(array.shape, dtype=np.float32)
        for number, channel in enumerate(array):
            out[number] = _scaled(channel, *self.limits(channel))
        return out

    def limits(self, channel: np.ndarray) -> tuple[float, float]:
        """Return the grey values that become 0 and 1 in one channel."""
        if self.kind != "percentile":
            return self.low, self.high
        minimum, maximum = float(channel.min()), float(channel.max())
        above = channel[channel > minimum]
        if above.size == 0:
            return minimum, maximum
        low, high = np.percentile(above, (self.low, self.high))
        return (float(low), float(high)) if low < high else (minimum, maximum)

    def __str__(self) -> str:
        return f"{self.kind}:{self.low:g}:{self.high:g}"


PERCENTILE = IntensityRule()
RASTER = IntensityRule(kind="range", low=0, high=255)
SOFT_TISSUE = IntensityRule(kind="window", low=-160, high=240)
SOFT_TISSUE_RAISED = IntensityRule(kind="window", low=RAISED - 160, high=RAISED + 240)
RAISED_CT = (
    f"CT in Hounsfield units with {RAISED} added, and percentiles show its soft tissue in few "
    "shades of grey"
)


def rule_for(volume: Volume) -> IntensityRule:
    """Return the rule that suits one image by itself.

    An 8-bit raster image uses its full scale. Whole numbers that reach -500 or below are CT in
    Hounsfield units, shown in the abdominal soft-tissue window [-160, 240]. Anything else:
    percentiles.
    """
    array = volume.array
    if volume.is_raster and array.dtype == np.uint8:
        return RASTER
    if array.min() <= AIR_HU and _is_whole(array):
        return SOFT_TISSUE
    return PERCENTILE


def is_raised_ct(array: np.ndarray) -> bool:
    """Tell whether grey values look like Hounsfield units with 1024 added.

    A guess, from how closely soft tissue lies together, so it decides nothing by itself: on head
    and neck CT (OpenKBP) 55 to 77 % of what is denser than lung is within 100 units of 1024, in
    hippocampus MR (Decathlon), some of which goes as far, at most 41 %.
    """
    if array.dtype == np.uint8 or array.size == 0 or array.min() < 0 or not _is_whole(array):
        return False
    body = array[array > RAISED + AIR_HU]
    soft = np.abs(body.astype(np.float64) - RAISED) <= SOFT
    return body.size > 0 and float(soft.mean()) >= SOFT_SHARE


def choose_rule(volumes: Iterable[Volume]) -> IntensityRule:
    """Return the one rule for a data set: the one all images agree on, else percentiles.

    Raises:
        InputError: `intensity.no_images`.
    """
    return agreed_rule(rule_for(volume) for volume in volumes)


def agreed_rule(rules: Iterable[IntensityRule]) -> IntensityRule:
    """Return the rule shared by all, else percentiles, which suit any mixture.

    Raises:
        InputError: `intensity.no_images`.
    """
    different = set(rules)
    if not different:
        raise InputError(
            "0 images to choose an intensity rule from",
            fix="Give at least one image",
            code="intensity.no_images",
        )
    return different.pop() if len(different) == 1 else PERCENTILE


def parse_rule(text: str) -> IntensityRule:
    """Read a rule written as `percentile`, `window:-125:275`, `range:0:65535`.

    Raises:
        UsageError: `intensity.invalid`.
    """
    kind, *numbers = text.split(":")
    if kind == "percentile" and not numbers:
        return PERCENTILE
    try:
        low, high = (float(number) for number in numbers)
        return build(IntensityRule, {"kind": kind, "low": low, "high": high})
    except (ValueError, UsageError) as error:
        raise UsageError(
            f"{text!r} is not an intensity rule ({getattr(error, 'problem', 'no numbers')})",
            fix="Write percentile:0.5:99.5, window:-160:240 or range:0:255",
            code="intensity.invalid",
        ) from error


def _scaled(channel: np.ndarray, low: float, high: float) -> np.ndarray:
    """Scale in a precision that holds the file's values; halves keep any difference finite."""
    half = high / 2 - low / 2
    if half <= 0:
        return np.zeros(channel.shape)
    exact = np.clip(channel.astype(np.result_type(channel.dtype, np.float32)), low, high)
    return (exact / 2 - low / 2) / half


def _is_whole(array: np.ndarray) -> bool:
    return bool(np.issubdtype(array.dtype, np.integer) or np.all(array == np.rint(array)))
