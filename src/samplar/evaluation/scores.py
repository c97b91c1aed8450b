"""The words of scoring: protocols, statuses, metrics and the scores of one class in one case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from samplar.config.base import Strict

Protocol = Literal["strict", "samed"]
Status = Literal["scored", "missed", "false-positive", "both-empty", "unlabelled"]
Unit = Literal["mm", "px", "voxel"]
Metric = Literal["dsc", "hd95", "nsd", "iou"]

METRICS: tuple[Metric, ...] = ("dsc", "hd95", "nsd", "iou")


class Scores(Strict):
    """The four metrics: `dsc`, `nsd` and `iou` in 0..100, `hd95` in a unit; None is undefined."""

    dsc: float | None
    hd95: float | None
    nsd: float | None
    iou: float | None


class ClassScore(Scores):
    """The scores of one class (index 1..k) in one case, with the unit of `hd95`."""

    index: int
    status: Status
    unit: Unit

    def counted(self, protocol: Protocol) -> tuple[Metric, ...]:
        """Return the metrics that enter the means: those defined, and no absent class if strict."""
        if protocol == "strict" and self.status == "both-empty":
            return ()
        return tuple(metric for metric in METRICS if getattr(self, metric) is not None)


@dataclass(frozen=True)
class CaseScores:
    """What `score_case` returned for one case: one score per class, in order."""

    case: str
    subject: str
    scores: tuple[ClassScore, ...]
