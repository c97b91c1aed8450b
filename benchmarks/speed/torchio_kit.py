"""TorchIO's transforms with our chances and ranges; a slice is a volume one voxel deep.

TorchIO turns and scales about the middle of the image, scales each axis by itself, has no shear,
and lowers the resolution of one axis at a time; gain, offset and contrast are a `Lambda`.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torchio
from recipe import Pair
from torch import Tensor

from samplar.config.synthesis import Bending, LookRange, Placing, SynthesisConfig, ToneRange

INTENSITY = [torchio.INTENSITY]


class TorchioKit:
    """See `recipe.Kit`; TorchIO draws from torch's global generator.

    Args:
        config: our chances and ranges.
        side: of the images.
    """

    def __init__(self, config: SynthesisConfig, side: int) -> None:
        random, bends = np.random.default_rng(0), config.organ_bending
        tone = _tone(config.tone, random)
        self._group = torchio.Compose(
            [*_geometry(config.group_placing, bends, side), *tone], copy=False
        )
        self._organ = torchio.Compose(
            [*_geometry(config.organ_placing, bends, side), *tone], copy=False
        )
        self._finish = torchio.Compose(
            [*_geometry(config.placing, config.bending, side), *_look(config.look, random)],
            copy=False,
        )
        blur = config.mask_blur
        self._soft = torchio.Blur(std=(blur, blur, 0.0), copy=False)

    def group(self, pair: Pair) -> Pair:
        """Move, bend and re-tone the organs as one."""
        return _applied(self._group, pair)

    def organ(self, pair: Pair) -> Pair:
        """Move, bend and re-tone one organ."""
        return _applied(self._organ, pair)

    def soft(self, mask: Tensor) -> Tensor:
        """Blur a mask."""
        return self._soft(torchio.ScalarImage(tensor=mask[..., None])).data[..., 0]

    def finish(self, pair: Pair) -> Pair:
        """Move, bend and re-tone a finished image."""
        return _applied(self._finish, pair)


def _applied(chain: torchio.Compose, pair: Pair) -> Pair:
    subject = torchio.Subject(
        image=torchio.ScalarImage(tensor=pair[0][..., None]),
        labels=torchio.LabelMap(tensor=pair[1][..., None]),
    )
    found = chain(subject)
    image, labels = found["image"].data[..., 0], found["labels"].data[..., 0]
    return image.clamp(0, 1), labels.to(torch.uint8)


def _geometry(placing: Placing, bending: Bending, side: int) -> list[torchio.Transform]:
    """Return one resampling: affine with a field, affine alone, or (by chance) nothing."""
    low, high = placing.scale
    turn, move, bend = placing.rotation, placing.shift * side, bending.amplitude * side
    affine = {
        "scales": (low, high, low, high, 1, 1), "degrees": (0, 0, 0, 0, -turn, turn),
        "translation": (-move, move, -move, move, 0, 0), "default_pad_value": 0,
    }  # fmt: skip
    points = bending.cells + 3
    elastic = {
        "num_control_points": (points, points, 4), "max_displacement": (bend, bend, 0),
        "locked_borders": 0,
    }  # fmt: skip
    bent = bending.probability
    moved = placing.probability * (1 - bent)
    choice = {
        torchio.RandomAffineElasticDeformation(
            affine_kwargs=affine, elastic_kwargs=elastic, copy=False
        ): bent / (bent + moved),
        torchio.RandomAffine(**affine, copy=False): moved / (bent + moved),
    }
    return [torchio.OneOf(choice, p=bent + moved, copy=False)]


def _tone(tone: ToneRange, random: np.random.Generator) -> list[torchio.Transform]:
    low, high = (math.log(bound) for bound in tone.gamma)
    chance = tone.probability
    return [
        torchio.RandomGamma((low, high), p=chance, copy=False),
        _linear(tone.gain, tone.offset, chance, random),
    ]


def _look(look: LookRange, random: np.random.Generator) -> list[torchio.Transform]:
    low, high = (math.log(bound) for bound in look.gamma)
    sigma, coarse = look.blur, look.low_resolution
    return [
        torchio.RandomGamma((low, high), p=look.gamma_probability, copy=False),
        _contrast(look.contrast, look.contrast_probability, random),
        _linear(look.gain, look.offset, look.linear_probability, random),
        torchio.RandomBiasField(look.bias, p=look.bias_probability, copy=False),
        torchio.RandomBlur((0, sigma, 0, sigma, 0, 0), p=look.blur_probability, copy=False),
        torchio.RandomAnisotropy(
            axes=(0, 1), downsampling=(1, coarse), p=look.low_resolution_probability, copy=False
        ),
        torchio.RandomNoise(std=(0, look.noise), p=look.noise_probability, copy=False),
    ]


def _linear(
    gain: tuple[float, float], offset: float, chance: float, random: np.random.Generator
) -> torchio.Transform:
    def change(image: Tensor) -> Tensor:
        return image * random.uniform(*gain) + random.uniform(-offset, offset)

    return torchio.Lambda(change, types_to_apply=INTENSITY, p=chance, copy=False)


def _contrast(
    spread: tuple[float, float], chance: float, random: np.random.Generator
) -> torchio.Transform:
    def change(image: Tensor) -> Tensor:
        mean = image.mean()
        return (image - mean) * random.uniform(*spread) + mean

    return torchio.Lambda(change, types_to_apply=INTENSITY, p=chance, copy=False)
