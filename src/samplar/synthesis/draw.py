"""The record of every random choice behind one synthetic image.

A draw is plain JSON. Rendering it needs the exemplars and nothing else, so any image of a training
run can be made again. The default of every part is the identity.

Pixels are addressed by (row, column) of their centres, the top left one is (0, 0).
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from samplar.config.base import Strict

Policy = Literal["none", "own", "cross", "cross_clean"]
"""What organs are pasted on: nothing is pasted; the exemplar with its organs painted out; another
exemplar as it is; another exemplar with its organs painted out."""

Border = Literal["zeros", "reflect"]

Pair = tuple[float, float]


class Affine(Strict):
    """Scale, shear, rotate and mirror about `centre`, then shift."""

    rotation: float = Field(default=0.0, description="degrees, clockwise as displayed")
    log_scale: float = Field(default=0.0, description="natural logarithm of the size factor")
    shear: float = Field(default=0.0, description="degrees, rows slide along the columns")
    flip: bool = Field(default=False, description="swap left and right")
    shift: Pair = Field(default=(0.0, 0.0), description="pixels down, pixels right")
    centre: Pair = Field(default=(0.0, 0.0), description="the point that only the shift moves")


class Elastic(Strict):
    """A smooth displacement field: cubic B-splines on a coarse grid of seeded control points."""

    amplitude: float = Field(
        default=0.0, ge=0, description="largest displacement, pixels, per axis"
    )
    cells: int = Field(default=1, ge=1, description="grid cells per side")
    seed: int = Field(default=0, ge=0, description="makes the control points")


class Warp(Strict):
    """An affine map followed by an elastic field, if any."""

    affine: Affine = Affine()
    elastic: Elastic | None = None


class Tone(Strict):
    """Intensity of one cut-out: gain * x^gamma + offset, cut to [0, 1]."""

    gamma: float = Field(default=1.0, gt=0)
    gain: float = 1.0
    offset: float = 0.0


class Look(Strict):
    """Intensity of the finished image; the parts are applied in the order they are listed.

    Contrast, gain and offset are one step: with m the mean of the exemplar behind the organs,
    x <- gain * (contrast * (x - m) + m) + offset, where black stays black (see `appearance.AIR`).
    """

    inverted: bool = False
    gamma: float = Field(default=1.0, gt=0)
    contrast: float = Field(
        default=1.0, description="spread about the mean of the background exemplar"
    )
    gain: float = 1.0
    offset: float = 0.0
    bias: tuple[float, ...] = Field(
        default=(), max_length=9, description="of the log field, Legendre"
    )
    blur: float = Field(default=0.0, ge=0, description="Gaussian sigma, pixels")
    low_resolution: float = Field(default=1.0, ge=1, description="factor down and up again")
    noise: float = Field(default=0.0, ge=0, description="standard deviation")
    noise_seed: int = Field(default=0, ge=0)


class Move(Strict):
    """One cut-out: the classes it holds, where it goes and how its intensity changes."""

    classes: tuple[int, ...] = Field(min_length=1)
    warp: Warp = Warp()
    tone: Tone = Tone()


class Draw(Strict):
    """Everything that makes one image out of the exemplars.

    `moves` are pasted in the order given, so that later ones overwrite earlier ones. `warp` moves
    the finished scene, pasted organs included; all maps are composed before anything is sampled.
    """

    exemplar: int = Field(ge=0, description="where the organs come from")
    background: Policy = "none"
    donor: int | None = Field(
        default=None, ge=0, description="the other exemplar, for the cross policies"
    )
    moves: tuple[Move, ...] = ()
    warp: Warp = Warp()
    look: Look = Look()
    mask_blur: float = Field(
        default=1.0, ge=0, description="sigma of the soft paste, pixels; 0: hard"
    )
    smallest_visible: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="drop a cut-out that keeps less than this share of its area",
    )
    border: Border = Field(default="zeros", description="what the image shows beyond the canvas")
    roi: bool = Field(default=False, description="made from close-ups of the exemplars")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.background == "none" and self.moves:
            raise ValueError("background none pastes nothing, but there are moves")
        if self.background.startswith("cross") != (self.donor is not None):
            raise ValueError("a donor is needed by the cross backgrounds, and by them only")
        return self

    @property
    def scene(self) -> int:
        """Index of the exemplar that shows behind the organs."""
        return self.exemplar if self.donor is None else self.donor
