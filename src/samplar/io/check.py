"""Look at a whole data set before anything is computed: everything that is wrong, in one go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from samplar.config.base import Strict
from samplar.errors import SamplarError
from samplar.io.checks.classes import ClassReport, Tally, class_findings, undeclared_values
from samplar.io.checks.facts import CaseFacts, measure_case
from samplar.io.checks.finding import Finding, from_error, note
from samplar.io.checks.geometry import GeometryReport, geometry_findings, geometry_report
from samplar.io.checks.images import IntensityReport, image_findings, intensity_report
from samplar.io.checks.people import split_findings, subject_findings
from samplar.io.found_labels import labels_of
from samplar.io.labels import LabelSet
from samplar.io.slicing import Plane, choose_plane
from samplar.io.survey import Survey, survey


class CheckReport(Strict):
    """What a data set is and what is wrong with it.

    Attributes:
        ok: False if any finding is an error.
        findings: errors first, then warnings, then notes.
        name: folder name.
        layout: how it lies on disk; None if that could not be found out.
        channels: names of the image channels, as declared.
        cases: how many images.
        labelled: how many of them have a label map.
        subjects: how many people.
        slices: labelled slices along the slicing plane.
        exemplars: how many of these have foreground.
        labels: each class with its voxels and slices.
        geometry: counts of shapes, spacings and orientations; None if no image could be read.
        intensity: grey values and the intensity rule chosen; None if no image could be read.
    """

    ok: bool
    findings: tuple[Finding, ...]
    name: str
    layout: str | None = None
    channels: tuple[str, ...] = ()
    cases: int = 0
    labelled: int = 0
    subjects: int = 0
    slices: int = 0
    exemplars: int = 0
    labels: tuple[ClassReport, ...] = ()
    geometry: GeometryReport | None = None
    intensity: IntensityReport | None = None


def check_dataset(root: Path, split: Path | None = None) -> CheckReport:
    """Read every file of a data set and report what is there and what is wrong.

    Nothing about the data raises: every error becomes a finding.

    Args:
        root: the folder of the data set.
        split: a JSON file of subjects by data set name, to be checked as well.
    """
    try:
        found = survey(root)
    except SamplarError as error:
        return CheckReport(ok=False, findings=(from_error(error),), name=root.resolve().name)
    cases = [measure_case(case) for case in found.cases]
    findings = [from_error(problem) for problem in found.problems]
    for facts in cases:
        findings += [from_error(problem) for problem in facts.problems]
        findings += [note("file.note", text, file=facts.case.images[0]) for text in facts.notes]
    images = [facts.image for facts in cases if facts.image is not None]
    plane = choose_plane([image.affine for image in images]) if images else "axial"
    tally = _tally(found, cases, plane, findings)
    findings += geometry_findings(cases) + image_findings(cases) + subject_findings(found)
    if split is not None:
        findings += split_findings(found, cases, split)
    return CheckReport(
        ok=all(finding.severity != "error" for finding in findings),
        findings=_by_severity(findings),
        name=found.name,
        layout=found.layout,
        channels=found.channel_names,
        cases=len(cases),
        labelled=sum(case.label is not None for case in found.cases),
        subjects=len({case.subject for case in found.cases}),
        slices=tally.labelled_slices if tally else 0,
        exemplars=tally.foreground_slices if tally else 0,
        labels=tally.report() if tally else (),
        geometry=geometry_report(images, plane) if images else None,
        intensity=intensity_report(images),
    )


def _tally(
    found: Survey, cases: Sequence[CaseFacts], plane: Plane, findings: list[Finding]
) -> Tally | None:
    """Count the classes, declared or found; add what is wrong with them to the findings."""
    try:
        labels = found.declared or _found_labels(cases, found.root)
    except SamplarError as error:
        findings.append(from_error(error))
        return None
    findings += undeclared_values(cases, labels)
    tally = Tally.empty(labels)
    for facts in cases:
        tally.add(facts, plane)
    findings += class_findings(tally, cases, found.root)
    return tally


def _found_labels(cases: Sequence[CaseFacts], root: Path) -> LabelSet:
    totals: Counter[int] = Counter()
    for facts in cases:
        if facts.label is not None:
            totals.update(facts.label.counts)
    return labels_of(totals, root)


def _by_severity(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    order = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(findings, key=lambda finding: order[finding.severity]))
