"""Which test slices to show: the best, the typical and the worst."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np
from jaxtyping import Integer

from samplar.evaluation.overlap import overlap
from samplar.types import IGNORE

Rank = Literal["best", "median", "worst"]


@dataclass(frozen=True)
class SliceScore:
    """The DSC (0..100) of one slice: mean over the classes that truth or prediction have in it.

    `pixels` are those that either of them gives a class.
    """

    case: str
    subject: str
    slice: int
    dsc: float
    pixels: int


@dataclass(frozen=True)
class Pick:
    """A slice to show, and as what."""

    rank: Rank
    score: SliceScore


def score_slices(
    prediction: Integer[np.ndarray, "n h w"],
    truth: Integer[np.ndarray, "n h w"],
    *,
    case: str,
    subject: str,
) -> list[SliceScore]:
    """Score each slice on its own; slices with no class at all are left out.

    Args:
        prediction: class indices.
        truth: class indices, IGNORE where nobody labelled.
        case: the case the slices are from.
        subject: its subject.
    """
    scores = []
    for number, (found, true) in enumerate(zip(prediction, truth, strict=True)):
        labelled = true != IGNORE
        dsc = _mean_dice(found[labelled], true[labelled])
        if dsc is not None:
            pixels = int(((found > 0) | (true > 0))[labelled].sum())
            scores.append(SliceScore(case, subject, number, dsc, pixels))
    return scores


def _mean_dice(
    prediction: Integer[np.ndarray, " n"], truth: Integer[np.ndarray, " n"]
) -> float | None:
    present = np.union1d(prediction, truth)
    values = [overlap(prediction == index, truth == index).dsc for index in present if index != 0]
    return fmean(values) if values else None


def pick_slices(scores: list[SliceScore], *, each: int = 1) -> list[Pick]:
    """Choose `each` best, median and worst slices, each of a new subject where there is one.

    No slice is chosen twice. The worst are chosen first, so that the worst slice of all is always
    shown; then the best, then those closest to the median. Of slices that score alike, such as all
    in which nothing was found, those with more to see go first, then it goes by case and number.
    """
    ordered = sorted(scores, key=lambda score: (score.dsc, -score.pixels, score.case, score.slice))
    middle = ordered[(len(ordered) - 1) // 2].dsc if ordered else 0.0
    by_rank: dict[Rank, list[SliceScore]] = {
        "worst": ordered,
        "best": sorted(ordered, key=lambda score: -score.dsc),
        "median": sorted(ordered, key=lambda score: abs(score.dsc - middle)),
    }
    picks: list[Pick] = []
    for rank, candidates in by_rank.items():
        for _ in range(each):
            picks += [Pick(rank, score) for score in _next(candidates, picks)]
    order: tuple[Rank, ...] = ("best", "median", "worst")
    return sorted(picks, key=lambda pick: order.index(pick.rank))


def _next(candidates: list[SliceScore], picks: list[Pick]) -> list[SliceScore]:
    """Return the first slice of a subject not shown yet, else the first not shown, else nothing."""
    shown = {pick.score for pick in picks}
    subjects = {score.subject for score in shown}
    left = [score for score in candidates if score not in shown]
    fresh = [score for score in left if score.subject not in subjects]
    return (fresh or left)[:1]
