"""What a data set folder says about itself, with every problem collected and no image opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samplar.errors import InputError, SamplarError
from samplar.io import partial
from samplar.io.case import Case
from samplar.io.declared import declared_labels
from samplar.io.documents import read_json
from samplar.io.labels import LabelSet
from samplar.io.layouts.detect import list_cases
from samplar.io.subjects import INDEX, with_subjects

_SIDE_FILES = (
    (INDEX, with_subjects),
    (partial.FILE_NAME, partial.with_listed_slices),
)


@dataclass(frozen=True)
class Survey:
    """A data set before any image is read.

    Args:
        root: its folder.
        layout: how it lies on disk.
        cases: sorted by id.
        channel_names: as declared, possibly none.
        declared: the classes it declares; None if it declares none.
        problems: what is wrong; a case that cannot be used is not in `cases`.
    """

    root: Path
    layout: str
    cases: tuple[Case, ...]
    channel_names: tuple[str, ...]
    declared: LabelSet | None
    problems: tuple[SamplarError, ...]

    @property
    def name(self) -> str:
        """The folder name, which splits refer to."""
        return self.root.resolve().name


def survey(root: Path) -> Survey:
    """List the cases of a data set with subjects, labelled slices and declared classes.

    Raises:
        InputError: only if nothing can be listed at all (`dataset.*`, `document.*`).
    """
    description = _description(root)
    listing = list_cases(root, description)
    problems = list(listing.problems)
    cases = listing.cases
    for name, add in _SIDE_FILES:
        if (root / name).exists():
            try:
                cases = add(cases, root / name)
            except SamplarError as problem:
                problems.append(problem)
    declared: LabelSet | None = None
    try:
        declared, cases = declared_labels(root, description, cases)
    except SamplarError as problem:
        problems.append(problem)
    return Survey(root, listing.layout, cases, listing.channel_names, declared, tuple(problems))


def refuse_problems(problems: Sequence[SamplarError], root: Path) -> None:
    """Raise the only problem, or one that counts them all and shows the first.

    Raises:
        InputError: `dataset.problems`, or the problem itself if there is one.
    """
    if len(problems) == 1:
        raise problems[0]
    if problems:
        first = problems[0]
        raise InputError(
            f"{len(problems)} problems, the first: {first.problem} [{first.code}]",
            fix=f"{first.fix}; samplar check lists all of them",
            code="dataset.problems",
            path=first.path or root,
        )


def _description(root: Path) -> dict[str, Any]:
    path = root / "dataset.json"
    if not path.exists():
        return {}
    description = read_json(path)
    if not isinstance(description, dict):
        raise InputError(
            "this is not a JSON object",
            fix='Write {"labels": {"background": 0, "liver": 1}}',
            code="document.unreadable",
            path=path,
        )
    return description
