"""Who is in which image: the `subject` column of index.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from samplar.errors import InputError
from samplar.io.case import Case
from samplar.io.documents import read_text
from samplar.io.names import stem_of
from samplar.io.spelling import one_spelling
from samplar.io.wording import few

INDEX = "index.csv"


def with_subjects(cases: Iterable[Case], index: Path) -> tuple[Case, ...]:
    """Return the cases with their subjects from a table with the columns `file` and `subject`.

    A table with a `subject_unknown` column instead says that nobody knows: every case stays a
    subject of its own.

    Raises:
        InputError: `index.columns`, `index.conflict`, `index.missing_case`.
    """
    cases = tuple(cases)
    if says_unknown(index):
        return cases
    subjects = _read(index)
    found = [_subject_of(case, subjects) for case in cases]
    absent = [case.id for case, subject in zip(cases, found, strict=True) if not subject]
    if absent:
        raise InputError(
            f"{len(absent)} of {len(cases)} cases have no subject: {few(absent)}",
            fix="Add a row with file and subject for each",
            code="index.missing_case",
            path=index,
        )
    return tuple(replace(c, subject=s) for c, s in zip(cases, found, strict=True) if s)


def says_unknown(index: Path) -> bool:
    """Tell whether the table has a `subject_unknown` column and no `subject` column."""
    columns, _ = _table(index)
    return "subject_unknown" in columns and "subject" not in columns


def _table(index: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return the names of the columns and the rows."""
    rows = csv.DictReader(io.StringIO(read_text(index), newline=""), strict=True)
    try:
        return list(rows.fieldnames or []), list(rows)
    except csv.Error as error:
        raise InputError(
            f"not a valid table, near line {rows.line_num}: {error}",
            fix="Correct the quotes, or save it again as CSV",
            code="document.unreadable",
            path=index,
        ) from error


def _read(index: Path) -> dict[str, str]:
    columns, rows = _table(index)
    if not {"file", "subject"} <= set(columns) or len(set(columns)) < len(columns):
        raise InputError(
            f"the columns are {few(columns) or '(none)'}, expected file and subject, each once",
            fix="Correct them, or add an empty column subject_unknown if nobody knows who is who",
            code="index.columns",
            path=index,
        )
    subjects: dict[str, str] = {}
    for row in rows:
        name, subject = (one_spelling((row[c] or "").strip()) for c in ("file", "subject"))
        if subjects.setdefault(name, subject) != subject:
            raise InputError(
                f"{name} has the subjects {subjects[name]} and {subject}",
                fix="Keep one row for each file",
                code="index.conflict",
                path=index,
            )
    return subjects


def _subject_of(case: Case, subjects: Mapping[str, str]) -> str | None:
    """Look a case up by the name of its image or label, with or without suffix, or by its id."""
    files = [*case.images, *([case.label] if case.label else [])]
    names = [file.name for file in files] + [stem_of(file) for file in files] + [case.id]
    known = (subjects.get(one_spelling(name)) for name in names)
    return next((subject for subject in known if subject is not None), None)
