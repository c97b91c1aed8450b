"""How a prediction is compared with its labels during training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from samplar.config.base import Strict


class LossConfig(Strict):
    """Weights and form of cross-entropy plus Dice.

    The defaults are Cheap Lunch's CE + 0.8 Dice with SAMed's Dice form: softmax, squared
    denominator, sums over the whole batch, smoothing 1e-5, background included.
    """

    ce: float = Field(default=1.0, ge=0)
    dice: float = Field(default=0.8, ge=0)
    smooth: float = Field(default=1e-5, gt=0)
    absent: Literal["count", "skip"] = "skip"
    """A class without a pixel in the batch: left out of the Dice mean, or counted as SAMed does."""
