"""Who is in the data set, and on which side of the split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from samplar.errors import SamplarError
from samplar.io.checks.facts import CaseFacts
from samplar.io.checks.finding import Finding, from_error, note, warning
from samplar.io.splits import Split, read_split
from samplar.io.subjects import INDEX, says_unknown
from samplar.io.survey import Survey
from samplar.io.wording import few


def subject_findings(found: Survey) -> list[Finding]:
    """Report subjects that are not known, or only one of them."""
    subjects = {case.subject for case in found.cases}
    if len(subjects) == 1 and len(found.cases) > 1:
        fix = "Scores on the same person are too good; add other people to test"
        return [warning("subjects.single", f"1 subject in {len(found.cases)} cases", fix=fix)]
    index = found.root / INDEX
    if index.exists():
        if not says_unknown(index):
            return []
        problem = f"nobody knows which of the {len(found.cases)} images are of one person"
        fix = "Say so beside any score: pool and test may share people"
        return [note("subjects.unknown", problem, fix=fix, file=index)]
    problem = f"each of the {len(found.cases)} cases counts as a subject of its own"
    fix = f"Add {INDEX} with file and subject if a person has several images"
    return [note("subjects.by_file", problem, fix=fix)]


def split_findings(found: Survey, cases: Sequence[CaseFacts], split: Path) -> list[Finding]:
    """Report a split that cannot be used, the subjects it leaves out, and images on both sides."""
    subjects = {case.subject for case in found.cases}
    try:
        sides = read_split(split, dataset=found.name, subjects=subjects)
    except SamplarError as error:
        return [from_error(error)]
    unused = sorted(subjects - set(sides.pool) - set(sides.test))
    findings = _shared_images(cases, sides, split)
    if unused:
        problem = f"{len(unused)} of {len(subjects)} subjects are on neither side: {few(unused)}"
        fix = "Nothing to do if they are meant to be left out"
        findings.append(note("split.unused", problem, fix=fix, file=split))
    return findings


def _shared_images(cases: Sequence[CaseFacts], sides: Split, split: Path) -> list[Finding]:
    """Report images that are in both pool and test under different subjects."""
    digests = [
        {f.image.digest: f.case.id for f in cases if f.image and f.case.subject in side}
        for side in (sides.pool, sides.test)
    ]
    shared = [f"{digests[0][d]} = {digests[1][d]}" for d in digests[0] if d in digests[1]]
    if not shared:
        return []
    problem = f"{len(shared)} images are in both pool and test: {few(shared)}"
    fix = "Remove one of each, or move its subject to the same side"
    finding = warning("split.shared_image", problem, fix=fix, file=split)
    return [finding.model_copy(update={"severity": "error"})]
