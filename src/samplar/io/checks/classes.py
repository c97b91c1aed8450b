"""What is labelled: voxels and slices of each class, and classes too rare to learn or to test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from samplar.config.base import Strict
from samplar.errors import InputError
from samplar.io.checks.facts import CaseFacts
from samplar.io.checks.finding import Finding, from_error, note, warning
from samplar.io.checks.geometry import slicing_axis
from samplar.io.labels import LabelSet
from samplar.io.slicing import Plane
from samplar.io.wording import few


class ClassReport(Strict):
    """How much of one class there is."""

    name: str
    value: int
    voxels: int
    slices: int
    cases: int
    subjects: int


@dataclass
class Tally:
    """Counts over the labelled slices of a data set."""

    labels: LabelSet
    voxels: np.ndarray
    slices: np.ndarray
    cases: list[set[str]]
    subjects: list[set[str]]
    labelled_slices: int = 0
    foreground_slices: int = 0
    outside: dict[str, int] = field(default_factory=dict)

    @classmethod
    def empty(cls, labels: LabelSet) -> Tally:
        """Start at zero."""
        zeros = np.zeros((2, len(labels)), dtype=np.int64)
        return cls(labels, *zeros, *([set() for _ in labels.names] for _ in range(2)))

    def add(self, facts: CaseFacts, plane: Plane) -> None:
        """Count one case; only its listed slices, if it lists some."""
        areas = class_areas(facts, self.labels, plane)
        if areas is None:
            return
        listed = facts.case.listed
        if listed is not None:
            rest = np.delete(areas, [n for n in listed if n < len(areas)], axis=0)
            self.outside[facts.case.id] = int((rest.sum(axis=1) > 0).sum())
            areas = areas[[n for n in listed if n < len(areas)]]
        self.labelled_slices += len(areas)
        self.foreground_slices += int((areas.sum(axis=1) > 0).sum())
        self.voxels += areas.sum(axis=0)
        self.slices += (areas > 0).sum(axis=0)
        for index in np.flatnonzero(areas.sum(axis=0)):
            self.cases[index].add(facts.case.id)
            self.subjects[index].add(facts.case.subject)

    def report(self) -> tuple[ClassReport, ...]:
        """Return one entry for each class."""
        return tuple(
            ClassReport(
                name=name,
                value=self.labels.values[i],
                voxels=int(self.voxels[i]),
                slices=int(self.slices[i]),
                cases=len(self.cases[i]),
                subjects=len(self.subjects[i]),
            )
            for i, name in enumerate(self.labels.names)
        )


def class_areas(facts: CaseFacts, labels: LabelSet, plane: Plane) -> np.ndarray | None:
    """Return the pixels of each class in each slice, (n, k), or None if that is not known."""
    if facts.label is None or facts.label.areas is None or facts.image is None:
        return None
    raw = facts.label.areas[slicing_axis(facts.image, plane)]
    own = facts.case.own_labels or labels
    columns = {value: column for column, value in enumerate(facts.label.counts)}
    areas = np.zeros((len(raw), len(labels)), dtype=np.int64)
    for value, index in own.indices.items():
        if value in columns and 0 < index <= len(own):
            areas[:, labels.names.index(own.names[index - 1])] += raw[:, columns[value]]
    return areas


def undeclared_values(cases: Sequence[CaseFacts], labels: LabelSet) -> list[Finding]:
    """Report the label maps that hold values nobody declared."""
    findings: list[Finding] = []
    for facts in cases:
        if facts.label is not None:
            try:
                own = facts.case.own_labels or labels
                own.check_values(facts.label.counts, path=str(facts.case.label))
            except InputError as problem:
                findings.append(from_error(problem))
    return findings


def class_findings(tally: Tally, cases: Sequence[CaseFacts], root: Path) -> list[Finding]:
    """Report absent and rare classes, empty slices, and how many exemplars there could be."""
    report = tally.report()
    subjects = {f.case.subject for f in cases if f.label is not None}
    findings = _rare(report, len(subjects))
    if not tally.foreground_slices:
        problem = f"none of {tally.labelled_slices} labelled slices has foreground"
        error = InputError(problem, fix="Label at least one", code="exemplars.none", path=root)
        return [*findings, from_error(error)]
    empty = tally.labelled_slices - tally.foreground_slices
    if empty:
        problem = f"{empty} of {tally.labelled_slices} labelled slices have no foreground"
        fix = "Nothing to do: they are scored; list the labelled slices if they are unlabelled"
        findings.append(note("labels.empty_slices", problem, fix=fix))
    carrying = set().union(*tally.subjects)
    problem = f"up to {tally.foreground_slices} exemplars from {len(carrying)} subjects"
    findings.append(note("exemplars.possible", problem))
    return findings + _outside(tally) + _renumbered(tally, cases)


def _rare(report: Sequence[ClassReport], subjects: int) -> list[Finding]:
    absent = [entry.name for entry in report if not entry.voxels]
    single = [entry.name for entry in report if entry.subjects == 1]
    findings: list[Finding] = []
    if absent:
        problem = f"{len(absent)} declared classes appear nowhere: {few(absent)}"
        findings.append(warning("labels.absent", problem, fix="Label them or remove them"))
    if single and subjects > 1:
        problem = f"{len(single)} classes appear in one subject only: {few(single)}"
        fix = "Label another subject: they cannot be learned and tested on different people"
        findings.append(warning("labels.one_subject", problem, fix=fix))
    return findings


def _outside(tally: Tally) -> list[Finding]:
    drawn = {id_: count for id_, count in tally.outside.items() if count}
    if not drawn:
        return []
    problem = f"{sum(drawn.values())} slices with foreground are not listed: {few(list(drawn))}"
    fix = "Add them to labelled_slices.yaml, or they count as not labelled"
    return [warning("labelled_slices.unlisted_foreground", problem, fix=fix)]


def _renumbered(tally: Tally, cases: Sequence[CaseFacts]) -> list[Finding]:
    own = {f.case.own_labels for f in cases if f.case.own_labels is not None}
    pairs = {p for labels in own for p in zip(labels.names, labels.values, strict=True)}
    changed = pairs - set(zip(tally.labels.names, tally.labels.values, strict=True))
    if not changed:
        return []
    problem = f"the cases number their {len(tally.labels)} classes differently; joined by name"
    fix = "Results use the values listed here; give each numbering its own folder to keep them"
    return [warning("labels.joined_by_name", problem, fix=fix)]
