"""From settings to draws: every random choice is made here and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from samplar.config.base import Strict
from samplar.config.synthesis import (
    Bending,
    LookRange,
    Placing,
    SynthesisConfig,
    ToneRange,
)
from samplar.synthesis.dice import Dice
from samplar.synthesis.draw import Affine, Draw, Elastic, Look, Move, Pair, Policy, Tone, Warp
from samplar.synthesis.organs import Organ, together
from samplar.synthesis.turns import draw_turned


def draw_one(
    exemplar: int,
    organs: Sequence[Mapping[int, Organ]],
    *,
    side: int,
    config: SynthesisConfig,
    seed: int,
) -> Draw:
    """Draw one image.

    Args:
        exemplar: index of the exemplar to start from.
        organs: of every exemplar, by class, largest first.
        side: of the canvas in pixels.
        config: chances and ranges.
        seed: decides everything.
    """
    if config.recipe == "samed" and config.factor > 0:
        return draw_turned(exemplar, side=side, seed=seed)
    dice = Dice(seed, factor=config.factor)
    family = dice.one_of(_weights(config.mix))
    if config.factor == 0 or family == "exemplar":
        return Draw(exemplar=exemplar)
    middle = (side - 1) / 2
    here = organs[exemplar]
    background: Policy = "none"
    donor: int | None = None
    moves: tuple[Move, ...] = ()
    if family != "whole" and here:
        background, donor = _background(exemplar, len(organs), config, dice)
        there = {} if donor is None or not config.align_to_donor else organs[donor]
        moves = _moves(family, here, there, side=side, config=config, dice=dice)
    affine = _affine(config.placing, size=side, centre=(middle, middle), dice=dice)
    return Draw(
        exemplar=exemplar,
        background=background,
        donor=donor,
        moves=moves,
        warp=Warp(affine=affine, elastic=_elastic(config.bending, side, dice)),
        look=_look(config.look, dice),
        mask_blur=config.mask_blur,
        smallest_visible=config.smallest_visible,
        border=config.border,
    )


def _weights(settings: Strict) -> dict[str, float]:
    return {name: float(weight) for name, weight in settings}


def _background(
    exemplar: int, count: int, config: SynthesisConfig, dice: Dice
) -> tuple[Policy, int | None]:
    policy = dice.one_of(_weights(config.backgrounds))
    other = dice.index(max(count - 1, 1))
    if policy == "own" or count == 1:
        return "own", None
    donor = other + (other >= exemplar)
    return ("cross", donor) if policy == "cross" else ("cross_clean", donor)


def _moves(
    family: str,
    here: Mapping[int, Organ],
    there: Mapping[int, Organ],
    *,
    side: int,
    config: SynthesisConfig,
    dice: Dice,
) -> tuple[Move, ...]:
    """Return one move of all classes, or one per chosen class, larger organs first."""
    if family == "group":
        parts, placing = [tuple(here)], config.group_placing
    else:
        parts = _chosen(here, config.class_probability, dice)
        placing = config.organ_placing
    moves = []
    for classes in parts:
        organ = together(here[k] for k in classes)
        affine = _affine(placing, size=organ.window.longer_side, centre=organ.centre, dice=dice)
        shared = [k for k in classes if k in there]
        if shared:
            start, end = (together(organs[k] for k in shared).centre for organs in (here, there))
            affine = _shifted(affine, start, end)
        warp = Warp(affine=affine, elastic=_elastic(config.organ_bending, side, dice))
        moves.append(Move(classes=classes, warp=warp, tone=_tone(config.tone, dice)))
    return tuple(moves)


def _chosen(here: Mapping[int, Organ], probability: float, dice: Dice) -> list[tuple[int, ...]]:
    chosen = [(k,) for k in here if dice.happens(probability)]
    return [*chosen] or [(list(here)[dice.index(len(here))],)]


def _shifted(affine: Affine, start: Pair, end: Pair) -> Affine:
    down, right = affine.shift
    shift = (down + end[0] - start[0], right + end[1] - start[1])
    return affine.model_copy(update={"shift": shift})


def _affine(placing: Placing, *, size: float, centre: Pair, dice: Dice) -> Affine:
    if not dice.happens(placing.probability):
        return Affine(centre=centre)
    reach = placing.shift * size
    return Affine(
        rotation=dice.within(placing.rotation),
        log_scale=dice.log_of(placing.scale),
        shear=dice.within(placing.shear),
        flip=dice.happens(placing.flip),
        shift=(dice.within(reach), dice.within(reach)),
        centre=centre,
    )


def _elastic(bending: Bending, side: int, dice: Dice) -> Elastic | None:
    if not dice.happens(bending.probability):
        return None
    amplitude = dice.up_to(bending.amplitude * side)
    return Elastic(amplitude=amplitude, cells=bending.cells, seed=dice.seed())


def _tone(tone: ToneRange, dice: Dice) -> Tone:
    if not dice.happens(tone.probability):
        return Tone()
    return Tone(
        gamma=math.exp(dice.log_of(tone.gamma)),
        gain=math.exp(dice.log_of(tone.gain)),
        offset=dice.within(tone.offset),
    )


def _look(look: LookRange, dice: Dice) -> Look:
    chosen: dict[str, float | bool | int | tuple[float, ...]] = {}
    if dice.happens(look.inversion_probability):
        chosen["inverted"] = True
    if dice.happens(look.gamma_probability):
        chosen["gamma"] = math.exp(dice.log_of(look.gamma))
    if dice.happens(look.contrast_probability):
        chosen["contrast"] = math.exp(dice.log_of(look.contrast))
    if dice.happens(look.linear_probability):
        chosen |= {"gain": math.exp(dice.log_of(look.gain)), "offset": dice.within(look.offset)}
    if dice.happens(look.bias_probability):
        chosen["bias"] = tuple(dice.within(look.bias) for _ in range(9))
    if dice.happens(look.blur_probability):
        chosen["blur"] = dice.up_to(look.blur)
    if dice.happens(look.low_resolution_probability):
        chosen["low_resolution"] = 1 + dice.up_to(look.low_resolution - 1)
    if dice.happens(look.noise_probability):
        chosen |= {"noise": dice.up_to(look.noise), "noise_seed": dice.seed()}
    return Look.model_validate(chosen)
