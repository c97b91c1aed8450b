"""The list of everything that a mean does without, so that nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from samplar.evaluation.result import ClassResult, LeftOut
from samplar.evaluation.scores import METRICS, CaseScores, Metric, Protocol, Scores, Status, Unit

REASONS: dict[Status, str] = {
    "both-empty": "the class is neither in the truth nor in the prediction",
    "false-positive": "predicted where the truth has none, so there is no surface to measure to",
    "unlabelled": "no voxel of this case is labelled",
}
ABSENT = "no case counts for this class"
MIXED = "cases in mm and cases in px have no common mean"
NO_NSD = "the published rule has no NSD"


def skipped_metrics(protocol: Protocol, unit: Unit | Literal["mixed"]) -> dict[Metric, str]:
    """Return the metrics that no mean can have, with the reason."""
    skipped: dict[Metric, str] = {}
    if protocol == "samed":
        skipped["nsd"] = NO_NSD
    if unit == "mixed":
        skipped |= {"hd95": MIXED, "nsd": MIXED}
    return skipped


def left_out(
    rows: Sequence[CaseScores],
    counted: Sequence[Sequence[Scores]],
    *,
    per_class: dict[str, ClassResult],
    skipped: dict[Metric, str],
) -> list[LeftOut]:
    """List the gaps: of all cases, of whole classes, and of single cases.

    Args:
        rows: the scores of each case.
        counted: the same, without what does not enter the means.
        per_class: the means of each class.
        skipped: metrics that no mean can have, with the reason.
    """
    return [
        *_global_gaps(skipped),
        *_class_gaps(per_class, skipped),
        *_case_gaps(rows, list(per_class), counted, skipped),
    ]


def _global_gaps(skipped: dict[Metric, str]) -> list[LeftOut]:
    return [
        LeftOut(case=None, subject=None, class_name=None, metrics=[metric], reason=reason)
        for metric, reason in skipped.items()
    ]


def _class_gaps(per_class: dict[str, ClassResult], skipped: dict[Metric, str]) -> list[LeftOut]:
    return [
        LeftOut(case=None, subject=None, class_name=name, metrics=gaps, reason=ABSENT)
        for name, result in per_class.items()
        if (gaps := _gaps(result, skipped))
    ]


def _case_gaps(
    rows: Sequence[CaseScores],
    names: Sequence[str],
    counted: Sequence[Sequence[Scores]],
    skipped: dict[Metric, str],
) -> list[LeftOut]:
    return [
        LeftOut(
            case=row.case,
            subject=row.subject,
            class_name=name,
            metrics=gaps,
            reason=REASONS[score.status],
        )
        for row, scores in zip(rows, counted, strict=True)
        for name, score, entering in zip(names, row.scores, scores, strict=True)
        if (gaps := _gaps(entering, skipped))
    ]


def _gaps(scores: Scores, skipped: dict[Metric, str]) -> list[Metric]:
    return [
        metric for metric in METRICS if getattr(scores, metric) is None and metric not in skipped
    ]
