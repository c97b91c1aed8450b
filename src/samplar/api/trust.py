"""How far the trust of a prediction was right, once the truth is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from samplar.evaluation.calibration import near_foreground, reliability
from samplar.evaluation.ranks import rank_correlation
from samplar.evaluation.trust import (
    CasePoint,
    CaseTrust,
    Held,
    TrustResult,
    read_case_trust,
)
from samplar.io.formats import read_probabilities
from samplar.io.slicing import slicing_of

if TYPE_CHECKING:
    from samplar.api.evaluate import Scored
    from samplar.evaluation.result import CaseResult

RECORDS = "trust"
PROBABILITIES = "probabilities"


@dataclass
class TrustCheck:
    """Compares what a prediction said of its cases with their truth, case after case.

    Args:
        predictions: output folder of `samplar predict`.
        classes: without background.
    """

    predictions: Path
    classes: int
    records: dict[str, CaseTrust] = field(default_factory=dict)
    held: Held | None = None

    def add(self, scored: Scored) -> None:
        """Take in a case, if the prediction says anything about it.

        Raises:
            InputError: `trust.unreadable`, `io.probabilities`, and what the readers refuse.
        """
        path = self.predictions / RECORDS / f"{scored.case.id}.json"
        if not path.is_file():
            return
        record = read_case_trust(path)
        self.records[scored.case.id] = record
        probabilities = self._probabilities(record)
        if probabilities is not None:
            found = _reliability(scored, record, probabilities, classes=self.classes)
            self.held = found if self.held is None else self.held + found

    def _probabilities(self, record: CaseTrust) -> Path | None:
        stem = Path(record.file)
        names = (record.file, stem.with_suffix(".npz").name)
        paths = (self.predictions / PROBABILITIES / name for name in names)
        return next((path for path in paths if path.is_file()), None)

    def result(self, cases: list[CaseResult]) -> TrustResult | None:
        """Return what came out; None where the prediction said nothing about its cases.

        Args:
            cases: the scores; those without a mean DSC do not count.
        """
        if not self.records:
            return None
        known = {case.case: case.mean.dsc for case in cases if case.mean.dsc is not None}
        said = {name: record.expected_dsc for name, record in self.records.items() if name in known}
        points = [
            CasePoint(case=name, expected=expected, true=known[name])
            for name, expected in said.items()
            if expected is not None
        ]
        return TrustResult(
            spearman=rank_correlation([p.expected for p in points], [p.true for p in points]),
            cases=points,
            missed=[name for name, expected in said.items() if expected is None],
            calibrated=all(record.calibrated for record in self.records.values()),
            reliability=self.held,
        )


def _reliability(scored: Scored, record: CaseTrust, path: Path, *, classes: int) -> Held:
    """Read the probabilities of a case slice by slice, so that no more than one is worked on."""
    slicing = slicing_of(scored.image, record.plane)
    shares = slicing.cut(read_probabilities(path, scored.image, classes=classes))
    pairs = zip(shares, slicing.cut(scored.prediction), slicing.cut(scored.truth), strict=True)
    total = Held()
    for share, prediction, truth in pairs:
        maps, labels = share[:, None], truth[None]
        region = near_foreground(prediction[None], labels)
        total += Held(
            everywhere=reliability(maps, labels), region=reliability(maps, labels, region=region)
        )
    return total
