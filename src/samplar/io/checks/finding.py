"""One line of a check: how bad, where, what, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from samplar.config.base import Strict
from samplar.errors import SamplarError

Severity = Literal["error", "warning", "note"]


class Finding(Strict):
    """Something the user should know about a data set.

    Attributes:
        severity: `error`: it cannot be used like this; `warning`: results may suffer; `note`: good
            to know.
        file: the file or folder it is about, if one.
        code: a short dotted name for scripts.
        problem: what was found, with the number.
        fix: what to do.
    """

    severity: Severity
    file: str | None
    code: str
    problem: str
    fix: str


def from_error(error: SamplarError) -> Finding:
    """Turn an error into a finding."""
    return Finding(
        severity="error", file=error.path, code=error.code, problem=error.problem, fix=error.fix
    )


def warning(code: str, problem: str, *, fix: str, file: Path | None = None) -> Finding:
    """Make a finding that should be looked at."""
    where = None if file is None else str(file)
    return Finding(severity="warning", file=where, code=code, problem=problem, fix=fix)


def note(
    code: str, problem: str, *, fix: str = "Nothing to do", file: Path | None = None
) -> Finding:
    """Make a finding that is only good to know."""
    where = None if file is None else str(file)
    return Finding(severity="note", file=where, code=code, problem=problem, fix=fix)
