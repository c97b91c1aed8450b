"""Settings of the synthesis: how often each family is drawn, and from which ranges.

The algorithm follows "Cheap Lunch" (Feng, Zhu, Yu 2023, arXiv 2308.14133) and the exemplar
learning it builds on (En and Guo 2022, arXiv 2204.01713). The ranges of neither were available to
us, so each is a setting; the defaults were tuned by eye on cardiac MR and head-and-neck CT.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from samplar.config.base import Strict

Probability = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Strength = Literal["off", "light", "standard", "strong"]
Recipe = Literal["guided", "samed"]

STRENGTHS: dict[str, float] = {"off": 0.0, "light": 0.5, "standard": 1.0, "strong": 1.5}
"""How far each named strength moves from the identity, as a share of the ranges below."""

LARGEST_BEND = 0.32
"""Bound on amplitude x cells. A cubic B-spline field whose control points move less than 0.48 of
their spacing never folds (Choi and Lee 2000); 0.48 / 1.5 leaves room for the strongest strength."""


def _ordered_positive(bounds: tuple[float, float]) -> tuple[float, float]:
    low, high = bounds
    if not 0 < low <= high:
        raise ValueError("must be two positive numbers, the lower one first")
    return bounds


Factor = Annotated[tuple[float, float], AfterValidator(_ordered_positive)]
"""Bounds of a multiplier, drawn evenly on a log scale."""


class Mix(Strict):
    """Relative weights of the four families; an image without foreground takes `whole` instead."""

    exemplar: Weight = Field(default=0.05, description="the exemplar itself, untouched")
    whole: Weight = Field(default=0.55, description="the whole exemplar moved, bent and re-toned")
    group: Weight = Field(default=0.3, description="all organs pasted as one group, anatomy kept")
    organs: Weight = Field(default=0.1, description="each organ moved and pasted on its own")

    @model_validator(mode="after")
    def _some_weight(self) -> Self:
        if self.exemplar + self.whole + self.group + self.organs <= 0:
            raise ValueError("at least one weight must be above 0")
        return self


class Backgrounds(Strict):
    """Relative weights of what organs are pasted on; with one exemplar it is always its own."""

    own: Weight = Field(default=0.5, description="the exemplar with its organs painted out")
    cross: Weight = Field(
        default=0.0, description="another exemplar, its organs kept (may double organs)"
    )
    cross_clean: Weight = Field(
        default=0.5, description="another exemplar with its organs painted out"
    )

    @model_validator(mode="after")
    def _some_weight(self) -> Self:
        if self.own + self.cross + self.cross_clean <= 0:
            raise ValueError("at least one weight must be above 0")
        return self


class Placing(Strict):
    """Ranges of one affine map. Shifts are shares of the longer side of what is moved."""

    probability: Probability = Field(
        default=0.9, description="chance that the map is not the identity"
    )
    rotation: float = Field(
        default=20.0, ge=0, le=180, description="largest angle, degrees, both ways"
    )
    scale: Factor = Field(default=(0.8, 1.25), description="bounds of the size factor")
    shift: float = Field(
        default=0.08, ge=0, le=1, description="largest shift per axis, share of the size"
    )
    shear: float = Field(
        default=5.0, ge=0, le=45, description="largest shear angle, degrees, both ways"
    )
    flip: Probability = Field(
        default=0.0, description="chance of swapping left and right; off: laterality"
    )


class Bending(Strict):
    """Range of one smooth elastic field (cubic B-spline on a coarse grid)."""

    probability: Probability = Field(default=0.5, description="chance that there is a field")
    amplitude: float = Field(
        default=0.04, ge=0, le=0.2, description="control points, share of the side"
    )
    cells: int = Field(default=5, ge=1, le=32, description="grid cells per side; more is finer")

    @model_validator(mode="after")
    def _cannot_fold(self) -> Self:
        if self.amplitude * self.cells > LARGEST_BEND:
            limit = LARGEST_BEND / self.cells
            raise ValueError(
                f"amplitude {self.amplitude} with {self.cells} cells could fold the image; "
                f"at most {limit:.3f} is safe"
            )
        return self


class ToneRange(Strict):
    """Ranges of the intensity change of one cut-out."""

    probability: Probability = Field(default=0.5, description="chance that a cut-out is re-toned")
    gamma: Factor = Field(default=(0.8, 1.25), description="bounds of the exponent")
    gain: Factor = Field(default=(0.9, 1.1), description="bounds of the multiplier")
    offset: float = Field(default=0.04, ge=0, le=1, description="largest addition, both ways")


class LookRange(Strict):
    """Ranges of the intensity change of the whole image; each part has its own chance."""

    gamma_probability: Probability = 0.5
    gamma: Factor = Field(default=(0.7, 1.5), description="bounds of the exponent")
    linear_probability: Probability = Field(default=0.5, description="chance of gain and offset")
    gain: Factor = Field(default=(0.8, 1.2), description="bounds of the multiplier")
    offset: float = Field(default=0.1, ge=0, le=1, description="largest addition, both ways")
    contrast_probability: Probability = 0.3
    contrast: Factor = Field(default=(0.8, 1.25), description="bounds of the spread about the mean")
    bias_probability: Probability = 0.3
    bias: float = Field(
        default=0.15, ge=0, le=1, description="largest coefficient of the log bias field"
    )
    noise_probability: Probability = 0.3
    noise: float = Field(default=0.03, ge=0, le=1, description="largest standard deviation")
    blur_probability: Probability = 0.15
    blur: float = Field(default=1.0, ge=0, le=5, description="largest Gaussian sigma, pixels")
    low_resolution_probability: Probability = 0.1
    low_resolution: float = Field(
        default=2.0, ge=1, le=8, description="largest factor down and up again"
    )
    inversion_probability: Probability = Field(
        default=0.0, description="chance of a negative image"
    )


class SynthesisConfig(Strict):
    """Everything that decides what the synthesis may draw."""

    recipe: Recipe = Field(
        default="guided",
        description="guided: by the exemplars, as below; samed: SAMed's turns and flips, no ranges",
    )
    strength: Strength = Field(
        default="standard", description="scales all ranges; off: only exemplars"
    )
    mix: Mix = Mix()
    backgrounds: Backgrounds = Backgrounds()
    placing: Placing = Field(default=Placing(), description="of the finished image")
    bending: Bending = Field(default=Bending(), description="of the finished image")
    group_placing: Placing = Field(
        default=Placing(rotation=10, scale=(0.85, 1.2), shift=0.08, shear=3),
        description="of the organs moved as one, before the image is moved as a whole",
    )
    organ_placing: Placing = Field(
        default=Placing(rotation=8, scale=(0.9, 1.12), shift=0.05, shear=3),
        description="of each organ moved on its own, before the image is moved as a whole",
    )
    organ_bending: Bending = Field(
        default=Bending(amplitude=0.015, cells=8), description="of pasted cut-outs"
    )
    tone: ToneRange = Field(default=ToneRange(), description="of pasted cut-outs")
    look: LookRange = Field(default=LookRange(), description="of the finished image")
    class_probability: Probability = Field(
        default=0.8, description="chance to paste a class, family organs"
    )
    align_to_donor: bool = Field(
        default=True, description="on another exemplar, put organs where its own ones were"
    )
    smallest_visible: Probability = Field(
        default=0.3, description="drop a cut-out that keeps less than this share of its area"
    )
    mask_blur: float = Field(
        default=1.0, ge=0, le=5, description="sigma of the soft paste, pixels; 0: hard"
    )
    border: Literal["zeros", "reflect"] = Field(
        default="zeros",
        description="what the image shows beyond the canvas; labels: never anything",
    )

    @classmethod
    def off(cls) -> SynthesisConfig:
        """Return settings under which every draw is the exemplar itself."""
        return cls(strength="off")

    @property
    def factor(self) -> float:
        """Share of every range that may be used: 0 for off, 1 for standard."""
        return STRENGTHS[self.strength]


def log_bounds(bounds: Factor) -> tuple[float, float]:
    """Return the bounds of a multiplier on the log scale it is drawn on."""
    return math.log(bounds[0]), math.log(bounds[1])
