"""MONAI's transforms with our chances and ranges.

MONAI turns and scales about the middle of the image, scales each axis by itself, and draws control
points of its elastic field from a normal distribution; everything else can be set to ours.
"""

from __future__ import annotations

import math

import torch
from monai import data, transforms
from recipe import Pair
from torch import Tensor

from samplar.config.synthesis import Bending, LookRange, Placing, SynthesisConfig, ToneRange

IMAGE, BOTH = ["image"], ["image", "labels"]


class MonaiKit:
    """See `recipe.Kit`.

    Args:
        config: our chances and ranges.
        side: of the images.
    """

    def __init__(self, config: SynthesisConfig, side: int) -> None:
        data.set_track_meta(False)  # the faster way: no record of geometry is kept
        bends = config.organ_bending
        self._group = _chain(
            _geometry(config.group_placing, bends, side), *_tone(config.tone), seed=0
        )
        self._organ = _chain(
            _geometry(config.organ_placing, bends, side), *_tone(config.tone), seed=1
        )
        self._finish = _chain(
            _geometry(config.placing, config.bending, side), *_look(config.look), seed=2
        )
        self._soft = transforms.GaussianSmooth(config.mask_blur)

    def group(self, pair: Pair) -> Pair:
        """Move, bend and re-tone the organs as one."""
        return _applied(self._group, pair)

    def organ(self, pair: Pair) -> Pair:
        """Move, bend and re-tone one organ."""
        return _applied(self._organ, pair)

    def soft(self, mask: Tensor) -> Tensor:
        """Blur a mask."""
        return self._soft(mask)

    def finish(self, pair: Pair) -> Pair:
        """Move, bend and re-tone a finished image."""
        return _applied(self._finish, pair)


def _chain(*steps: transforms.Transform, seed: int) -> transforms.Compose:
    chain = transforms.Compose(steps)
    chain.set_random_state(seed=seed)
    return chain


def _applied(chain: transforms.Compose, pair: Pair) -> Pair:
    found = chain({"image": pair[0], "labels": pair[1].float()})
    return found["image"].clamp(0, 1), found["labels"].to(torch.uint8)


def _geometry(placing: Placing, bending: Bending, side: int) -> transforms.Transform:
    """Return one resampling: affine with a field, affine alone, or nothing."""
    low, high = placing.scale
    size, move = (low - 1, high - 1), (-placing.shift * side, placing.shift * side)
    slope = math.tan(math.radians(placing.shear))
    shared = {
        "rotate_range": math.radians(placing.rotation), "scale_range": [size, size],
        "translate_range": [move, move], "shear_range": [(-slope, slope), (0.0, 0.0)],
        "mode": ["bilinear", "nearest"], "padding_mode": "zeros", "prob": 1.0,
    }  # fmt: skip
    spacing = side / bending.cells
    elastic = transforms.Rand2DElasticd(
        BOTH, spacing=(spacing, spacing), magnitude_range=(0, bending.amplitude * side), **shared
    )
    bent, moved = bending.probability, placing.probability * (1 - bending.probability)
    rest = 1 - bent - moved
    return transforms.OneOf(
        [elastic, transforms.RandAffined(BOTH, **shared), transforms.Identityd(BOTH)],
        weights=[bent, moved, rest],
    )


def _tone(tone: ToneRange) -> list[transforms.Transform]:
    chance = tone.probability
    return [
        transforms.RandAdjustContrastd(IMAGE, prob=chance, gamma=tone.gamma),
        transforms.RandScaleIntensityd(IMAGE, prob=chance, factors=_about_one(tone.gain)),
        transforms.RandShiftIntensityd(IMAGE, prob=chance, offsets=tone.offset),
    ]


def _look(look: LookRange) -> list[transforms.Transform]:
    linear, smallest = look.linear_probability, 1 / look.low_resolution
    return [
        transforms.RandAdjustContrastd(IMAGE, prob=look.gamma_probability, gamma=look.gamma),
        transforms.RandScaleIntensityFixedMeand(
            IMAGE, prob=look.contrast_probability, factors=_about_one(look.contrast)
        ),
        transforms.RandScaleIntensityd(IMAGE, prob=linear, factors=_about_one(look.gain)),
        transforms.RandShiftIntensityd(IMAGE, prob=linear, offsets=look.offset),
        transforms.RandBiasFieldd(
            IMAGE, prob=look.bias_probability, coeff_range=(-look.bias, look.bias)
        ),
        transforms.RandGaussianSmoothd(
            IMAGE, prob=look.blur_probability, sigma_x=(0.01, look.blur), sigma_y=(0.01, look.blur)
        ),
        transforms.RandSimulateLowResolutiond(
            IMAGE, prob=look.low_resolution_probability, zoom_range=(smallest, 1.0),
            downsample_mode="area", upsample_mode="bilinear",
        ),
        transforms.RandGaussianNoised(IMAGE, prob=look.noise_probability, std=look.noise),
    ]  # fmt: skip


def _about_one(bounds: tuple[float, float]) -> tuple[float, float]:
    return bounds[0] - 1, bounds[1] - 1
