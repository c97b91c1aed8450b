"""Whether a slice is seen a second time, closer, where its structures are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from samplar.config.base import Strict


class RoiConfig(Strict):
    """The region of interest: a window of one size for all images, around what a first look found.

    The model learns from the exemplars whole and from close-ups of them.
    """

    mode: Literal["off", "auto"] = "off"
    """auto: on, unless the structures fill most of the exemplars."""
    margin: float = Field(default=0.35, ge=0, le=4)
    """Room around the largest structure of any exemplar on each side, as a share of its size."""
    otherwise: int | None = Field(default=None, ge=32, le=2048, multiple_of=8)
    """Side of the frame where there is no window and images are larger than `size`, if it is more
    than that; none: `size`."""
