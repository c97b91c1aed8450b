"""SAMed's own augmentation, as draws: quarter turns with a flip, or a small turn.

Source: Zhang and Liu 2023, arXiv 2304.13785, and its public code (MIT). That code reads image and
labels by nearest pixel; here the image is read between pixels and labels by a vote, as everywhere.
"""

from __future__ import annotations

from samplar.synthesis.dice import Dice
from samplar.synthesis.draw import Affine, Draw, Warp

SMALLEST, BEYOND = -20, 20
"""Bounds of a small turn in whole degrees; the upper one is never drawn."""


def draw_turned(exemplar: int, *, side: int, seed: int) -> Draw:
    """Draw one image: half are turned by quarters and flipped, a quarter turned a little.

    Args:
        exemplar: index of the exemplar to turn.
        side: of the canvas in pixels.
        seed: decides everything.
    """
    dice = Dice(seed, factor=1.0)
    middle = (side - 1) / 2
    if dice.happens(0.5):
        quarters, sideways = dice.index(4), dice.index(2)
        return _turned(exemplar, *quarter_turn(quarters, sideways=sideways == 1), middle=middle)
    if dice.happens(0.5):
        angle = SMALLEST + dice.index(BEYOND - SMALLEST)
        return _turned(exemplar, -float(angle), False, middle=middle)
    return Draw(exemplar=exemplar)


def quarter_turn(quarters: int, *, sideways: bool) -> tuple[float, bool]:
    """Turn to the left by quarters, then swap left and right or top and bottom.

    Returns:
        The same as a swap of left and right first, then a turn to the right in degrees.
    """
    return float((90 * quarters + (0 if sideways else 180)) % 360), True


def _turned(exemplar: int, rotation: float, flip: bool, *, middle: float) -> Draw:
    affine = Affine(rotation=rotation, flip=flip, centre=(middle, middle))
    return Draw(exemplar=exemplar, warp=Warp(affine=affine))
