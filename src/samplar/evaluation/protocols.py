"""The stated rules by which one case is scored, above all where a mask is empty.

`strict`, the default. Distances in the unit of the spacing (mm, or px for plain images).

| truth            | prediction | status           | dsc, iou, nsd | hd95     | in the means    |
|------------------|------------|------------------|---------------|----------|-----------------|
| present          | present    | `scored`         | measured      | measured | yes             |
| present          | empty      | `missed`         | 0             | diagonal | yes             |
| empty            | present    | `false-positive` | 0             | none     | all but hd95    |
| empty            | empty      | `both-empty`     | 100           | 0        | no              |
| nothing labelled | any        | `unlabelled`     | none          | none     | no              |

A missed structure costs the diagonal of the image, the worst distance there is: dropping it, as
some libraries do, lets a worse model score better. An absent class left absent is right, but must
not lift a mean. A false positive has no surface to be measured against. Whatever is left out
of a mean is listed with its reason (`Evaluation.undefined`).

`samed`, only for comparison with published numbers: the rule in the code of SAMed (Zhang and Liu
2023, arXiv 2304.13785), which others copied. Spacing is ignored (voxel units), HD95 pools both
directions, a false positive scores a perfect 100 and every other empty case 0, HD95 is 0 in both,
all of them count, and there is no NSD.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Integer

from samplar.errors import InputError, UsageError
from samplar.evaluation.pairs import ClassPair, class_pairs
from samplar.evaluation.scores import ClassScore, Protocol, Scores, Unit
from samplar.evaluation.surface import diagonal, hd95, nsd_percent, pooled_hd95
from samplar.types import IGNORE

NOTHING = Scores(dsc=None, hd95=None, nsd=None, iou=None)


def score_case(
    prediction: Integer[np.ndarray, "_ _ _"],
    truth: Integer[np.ndarray, "_ _ _"],
    *,
    classes: int,
    spacing: Sequence[float],
    unit: Literal["mm", "px"],
    tolerance: float,
    protocol: Protocol = "strict",
) -> list[ClassScore]:
    """Score every class of one case.

    Voxels whose truth is `IGNORE` are removed from both label arrays first.

    Args:
        prediction: class indices 0..classes.
        truth: class indices 0..classes, or IGNORE where nobody labelled.
        classes: number of classes without background.
        spacing: voxel size along x, y and z, in `unit`.
        unit: what the spacing is measured in.
        tolerance: how far apart, in `unit`, two surfaces still agree in NSD.
        protocol: `strict` or `samed`.

    Returns:
        One score per class, in order.

    Raises:
        InputError: `evaluation.grid` if the shapes differ or the spacing is unusable,
            `evaluation.labels` if a value is not a class.
        UsageError: `evaluation.tolerance` if the tolerance is negative or not finite.
    """
    _check_grid(prediction, truth, spacing=spacing)
    _check_tolerance(tolerance)
    labelled = truth != IGNORE
    _check_values(prediction, name="prediction", classes=classes)
    _check_values(truth[labelled], name="truth", classes=classes)
    hd95_unit: Unit = "voxel" if protocol == "samed" else unit
    scores = []
    for index, pair in enumerate(class_pairs(prediction, truth, labelled, classes=classes), 1):
        if not labelled.any():
            values = NOTHING
        elif protocol == "samed":
            values = _samed(pair)
        else:
            values = _strict(pair, shape=truth.shape, spacing=spacing, tolerance=tolerance)
        status = pair.status if labelled.any() else "unlabelled"
        scores.append(ClassScore(**values.model_dump(), index=index, status=status, unit=hd95_unit))
    return scores


def _strict(
    pair: ClassPair, *, shape: Sequence[int], spacing: Sequence[float], tolerance: float
) -> Scores:
    if pair.status == "both-empty":
        return Scores(dsc=100.0, hd95=0.0, nsd=100.0, iou=100.0)
    if pair.status == "false-positive":
        return Scores(dsc=0.0, hd95=None, nsd=0.0, iou=0.0)
    if pair.status == "missed":
        return Scores(dsc=0.0, hd95=diagonal(shape, spacing=spacing), nsd=0.0, iou=0.0)
    distances = pair.distances(spacing)
    return Scores(
        dsc=pair.overlap.dsc,
        hd95=hd95(distances),
        nsd=nsd_percent(distances, tolerance=tolerance),
        iou=pair.overlap.iou,
    )


def _samed(pair: ClassPair) -> Scores:
    if pair.status != "scored":
        perfect = 100.0 if pair.status == "false-positive" else 0.0
        return Scores(dsc=perfect, hd95=0.0, nsd=None, iou=perfect)
    return Scores(
        dsc=pair.overlap.dsc,
        hd95=pooled_hd95(pair.distances((1.0,) * pair.truth.ndim)),
        nsd=None,
        iou=pair.overlap.iou,
    )


def _check_grid(prediction: np.ndarray, truth: np.ndarray, *, spacing: Sequence[float]) -> None:
    if prediction.shape != truth.shape:
        raise InputError(
            f"prediction has shape {prediction.shape} and truth {truth.shape}",
            fix="Score a prediction on the grid of its own image",
            code="evaluation.grid",
        )
    if len(spacing) != truth.ndim or not all(0 < size < np.inf for size in spacing):
        raise InputError(
            f"spacing {tuple(spacing)} does not fit {truth.ndim} axes",
            fix="Give one positive voxel size per axis",
            code="evaluation.grid",
        )


def _check_tolerance(tolerance: float) -> None:
    if not 0 <= tolerance < np.inf:
        raise UsageError(
            f"tolerance is {tolerance}",
            fix="Give a distance of 0 or more",
            code="evaluation.tolerance",
        )


def _check_values(labels: np.ndarray, *, name: str, classes: int) -> None:
    strange = labels[(labels < 0) | (labels > classes)]
    if strange.size:
        raise InputError(
            f"{name} holds {strange.size} voxels that are no class index 0..{classes},"
            f" such as {int(strange[0])}",
            fix="Check that prediction and truth use the same labels",
            code="evaluation.labels",
        )
