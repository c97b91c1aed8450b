"""Pictures of the best, median and worst slices of a prediction, beside the truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from samplar.api.evaluate import Scored, scored_cases
from samplar.io.dataset import Dataset
from samplar.io.slicing import slicing_of
from samplar.io.view import View, three_channels
from samplar.report.data import SlicePicture
from samplar.report.figures import LONGEST, slice_picture
from samplar.report.slices import SliceScore, pick_slices, score_slices


def overlays(
    predictions: Path, dataset: Dataset, view: View, *, each: int, longest: int = LONGEST
) -> Iterator[SlicePicture]:
    """Score all slices first, then read again the few cases whose slices are shown.

    Args:
        predictions: a folder of label files named after the cases.
        dataset: gives images and truth.
        view: how the method saw the images.
        each: how many slices of each rank.
        longest: side of the pictures in pixels.
    """
    plane = view.plane
    scores = [
        score
        for scored in scored_cases(predictions, dataset, plane=plane)
        for score in _slice_scores(scored, view)
    ]
    picks = pick_slices(scores, each=each)
    wanted = {pick.score.case for pick in picks}
    cases = {
        scored.case.id: scored
        for scored in scored_cases(predictions, dataset, plane=plane)
        if scored.case.id in wanted
    }
    for pick in picks:
        scored = cases[pick.score.case]
        slicing, number = slicing_of(scored.image, plane), pick.score.slice
        shades = three_channels(view.slices(scored.image)[number : number + 1])[0]
        yield slice_picture(
            pick,
            image=np.moveaxis(shades, 0, -1),
            truth=slicing.cut(scored.truth)[number],
            prediction=slicing.cut(scored.prediction)[number],
            pixel_spacing=slicing.pixel_spacing,
            longest=longest,
        )


def _slice_scores(scored: Scored, view: View) -> list[SliceScore]:
    slicing = slicing_of(scored.image, view.plane)
    return score_slices(
        slicing.cut(scored.prediction),
        slicing.cut(scored.truth),
        case=scored.case.id,
        subject=scored.case.subject,
    )
