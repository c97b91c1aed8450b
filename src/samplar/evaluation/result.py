"""The result of an evaluation, as it is saved and printed. Never NaN: undefined is null."""

from __future__ import annotations

from typing import Literal

from samplar.config.base import Strict
from samplar.evaluation.scores import ClassScore, Metric, Protocol, Scores, Unit
from samplar.evaluation.trust import TrustResult


class ClassResult(Scores):
    """A class's mean scores, their standard deviation over subjects, and how many counted."""

    std: Scores
    subjects: int
    cases: int


class SubjectResult(Strict):
    """A subject's mean scores per class over its cases, and over classes."""

    cases: int
    mean: Scores
    per_class: dict[str, Scores]


class CaseResult(Strict):
    """One case: every class as scored, and the mean over the classes that count."""

    case: str
    subject: str
    mean: Scores
    per_class: dict[str, ClassScore]


class LeftOut(Strict):
    """Metrics that some mean does without, and why. None for case, subject or class means all."""

    case: str | None
    subject: str | None
    class_name: str | None
    metrics: list[Metric]
    reason: str


class Evaluation(Strict):
    """All scores of one set of predictions under one protocol; `dsc`, `nsd`, `iou` in 0..100.

    `tolerance` (of NSD) and `hd95` are in `unit`; `voxel` is the unit of the `samed` protocol, and
    `mixed` says that cases in mm and in px were scored together, so only their own scores hold.
    `trust` is how far what the prediction said of its own cases was right, where it said anything.
    """

    protocol: Protocol
    mean: Scores
    per_class: dict[str, ClassResult]
    per_subject: dict[str, SubjectResult]
    per_case: list[CaseResult]
    undefined: list[LeftOut]
    tolerance: float
    unit: Unit | Literal["mixed"]
    trust: TrustResult | None = None
