"""How a prediction is compared with its labels during training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

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
    foreground: float = Field(default=1.0, gt=0)
    """How many times a foreground pixel counts in the cross-entropy."""


class MaskLossConfig(Strict):
    """Weights and form of focal loss plus Dice plus the error of the predicted IoU.

    For methods that are shown one structure at a time. The defaults are SAM-Med2D's, but for
    `quality_of`.
    """

    focal: float = Field(default=20.0, ge=0)
    alpha: float = Field(default=0.25, ge=0, le=1)
    """Weight of foreground in the focal loss; background has the rest to 1."""
    gamma: float = Field(default=2.0, ge=0)
    """How much less a pixel counts that is right already; with 0, and 0.5 for `alpha`, the focal
    loss is half the cross-entropy."""
    dice: float = Field(default=1.0, ge=0)
    """Weight of Dice over the foreground, denominator not squared."""
    dice_of: Literal["batch", "mask"] = "batch"
    """What a Dice is of: all masks of the batch together, or each mask, and the mean counts."""
    smooth: float = Field(default=1.0, gt=0)
    quality: float = Field(default=1.0, ge=0)
    """Weight of the squared error of the predicted IoU."""
    quality_of: Literal["mask", "batch"] = "mask"
    """What the predicted IoU is compared with: that of its own mask, or, as in SAM-Med2D's code,
    that of all masks of the batch together."""

    @field_validator("gamma")
    @classmethod
    def _has_a_slope(cls, gamma: float) -> float:
        if 0 < gamma < 1:  # a pixel that is right would have an infinite slope
            raise ValueError("is 0, or 1 and more")
        return gamma


class ForegroundLossConfig(Strict):
    """Weights and form of cross-entropy plus Dice over the foreground classes alone.

    The defaults are those of AutoSAM's class decoder (Hu et al. 2023).
    """

    ce: float = Field(default=1.0, ge=0)
    dice: float = Field(default=1.0, ge=0)
    smooth: float = Field(default=1.0, gt=0)
    squared: bool = True
    """Whether the probabilities and truths in the denominator of Dice are squared."""
    over: Literal["batch", "image"] = "batch"
    """What a Dice is of: a class in the whole batch, or a class in each image."""


class SaliencyLossConfig(Strict):
    """Weights and form of cross-entropy plus soft IoU, structural similarity and absolute error.

    For methods from salient object detection, whose several outputs are each compared so. The
    defaults are MAS-SAM's.
    """

    ce: float = Field(default=1.0, ge=0)
    iou: float = Field(default=1.0, ge=0)
    """Weight of 1 - soft IoU, of every foreground class in every image."""
    smooth: float = Field(default=0.0, ge=0)
    """Added to both parts of the IoU. With 0 a class that an image does not show has no pull."""
    ssim: float = Field(default=1.0, ge=0)
    """Weight of 1 - SSIM of the foreground probabilities and the truth, window 7, sigma 1.5."""
    l1: float = Field(default=0.0, ge=0)
    """Weight of the mean distance between foreground probabilities and the truth."""


AnyLoss = LossConfig | MaskLossConfig | ForegroundLossConfig | SaliencyLossConfig
"""The ways to compare a prediction with its labels."""
