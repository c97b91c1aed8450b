"""Means with nothing hidden: cases to subjects to classes, and a list of all that was left out.

A subject's score for a class is the mean over its cases (for 2D data sets: over its slices), a
class's score the mean over subjects, and the mean is over classes. So a subject with many slices
weighs no more than another, nor does a large class. The `samed` protocol takes the class mean over
cases instead of subjects, as published. Standard deviations are over subjects, with n - 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from samplar.errors import InputError
from samplar.evaluation.left_out import left_out, skipped_metrics
from samplar.evaluation.means import mean_scores, std_scores
from samplar.evaluation.result import CaseResult, ClassResult, Evaluation, SubjectResult
from samplar.evaluation.scores import (
    METRICS,
    CaseScores,
    ClassScore,
    Metric,
    Protocol,
    Scores,
    Unit,
)


def summarise(
    rows: Sequence[CaseScores],
    *,
    names: Sequence[str],
    protocol: Protocol,
    tolerance: float,
) -> Evaluation:
    """Average the scores of all cases.

    Args:
        rows: one per case, in the order to be shown.
        names: the class names in order, all different.
        protocol: the protocol the cases were scored by.
        tolerance: the tolerance they were scored with.

    Raises:
        InputError: `evaluation.empty` if there is no case, `evaluation.names` if two classes share
            a name.
    """
    _check(rows, names)
    unit = _common_unit(rows)
    skipped = skipped_metrics(protocol, unit)
    counted = [[_counted(score, protocol, skipped) for score in row.scores] for row in rows]
    cases = [_case(row, names, scores) for row, scores in zip(rows, counted, strict=True)]
    subjects = _subjects(rows, names, counted)
    per_class = {
        name: _class([scores[index] for scores in counted], name, subjects, protocol)
        for index, name in enumerate(names)
    }
    return Evaluation(
        protocol=protocol,
        mean=mean_scores(per_class.values()),
        per_class=per_class,
        per_subject=subjects,
        per_case=cases,
        undefined=left_out(rows, counted, per_class=per_class, skipped=skipped),
        tolerance=tolerance,
        unit=unit,
    )


def _counted(score: ClassScore, protocol: Protocol, skipped: dict[Metric, str]) -> Scores:
    """Blank the metrics of a score that do not enter the means."""
    counted = set(score.counted(protocol)) - set(skipped)
    return Scores.model_validate(
        {metric: getattr(score, metric) if metric in counted else None for metric in METRICS}
    )


def _case(row: CaseScores, names: Sequence[str], counted: list[Scores]) -> CaseResult:
    return CaseResult(
        case=row.case,
        subject=row.subject,
        mean=mean_scores(counted),
        per_class=dict(zip(names, row.scores, strict=True)),
    )


def _subjects(
    rows: Sequence[CaseScores], names: Sequence[str], counted: list[list[Scores]]
) -> dict[str, SubjectResult]:
    own: dict[str, list[list[Scores]]] = {}
    for row, scores in zip(rows, counted, strict=True):
        own.setdefault(row.subject, []).append(scores)
    return {subject: _subject(scores, names) for subject, scores in own.items()}


def _subject(cases: list[list[Scores]], names: Sequence[str]) -> SubjectResult:
    per_class = {
        name: mean_scores(scores[index] for scores in cases) for index, name in enumerate(names)
    }
    return SubjectResult(
        cases=len(cases), mean=mean_scores(per_class.values()), per_class=per_class
    )


def _class(
    cases: list[Scores], name: str, subjects: dict[str, SubjectResult], protocol: Protocol
) -> ClassResult:
    of_subjects = [subject.per_class[name] for subject in subjects.values()]
    mean = mean_scores(cases if protocol == "samed" else of_subjects)
    return ClassResult(
        **mean.model_dump(),
        std=std_scores(of_subjects),
        subjects=sum(scores.dsc is not None for scores in of_subjects),
        cases=sum(scores.dsc is not None for scores in cases),
    )


def _common_unit(rows: Sequence[CaseScores]) -> Unit | Literal["mixed"]:
    units = {score.unit for row in rows for score in row.scores}
    return units.pop() if len(units) == 1 else "mixed"


def _check(rows: Sequence[CaseScores], names: Sequence[str]) -> None:
    if not rows:
        raise InputError(
            "there are 0 cases to evaluate",
            fix="Give at least one prediction with its truth",
            code="evaluation.empty",
        )
    if len(set(names)) < len(names):
        raise InputError(
            f"{len(names)} classes have {len(set(names))} different names",
            fix="Give each class its own name",
            code="evaluation.names",
        )
