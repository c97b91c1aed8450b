"""What became of one damaged file."""

from __future__ import annotations

import faulthandler
import re
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from fuzzing.mutations import damaged
from fuzzing.target import Reading, Target
from samplar.errors import SamplarError

LIMIT_SECONDS = 5
Outcome = Literal["same", "refused", "unsealed", "silent", "vague", "crash", "hang"]
GOOD: tuple[Outcome, ...] = ("same", "refused", "unsealed")
"""`unsealed`: read as another file, which the format gives no means to notice."""


@dataclass(frozen=True)
class Verdict:
    """How one recipe ended, and what to show of it."""

    target: str
    recipe: str
    outcome: Outcome
    detail: str
    seconds: float


class Late(BaseException):
    """The reader took too long; no `except Exception` of ours may swallow it."""


def judge(target: Target, recipe: str, folder: Path) -> Verdict:
    """Damage the example by the recipe, read it, and say how it ended."""
    path = folder / target.file
    data = damaged(target.data, target.graft, recipe)
    path.write_bytes(data)
    start = time.perf_counter()
    outcome, detail = _outcome(target, recipe, path, data)
    return Verdict(target.name, recipe, outcome, detail, time.perf_counter() - start)


def _outcome(target: Target, recipe: str, path: Path, data: bytes) -> tuple[Outcome, str]:
    try:
        with _clock(), warnings.catch_warnings(action="error"):
            found = target.read(path)
    except SamplarError as error:
        missing = lacks(error, path)
        return ("vague", f"{missing}: {error}") if missing else ("refused", error.code)
    except Late:
        return "hang", f"more than {LIMIT_SECONDS} s"
    except BaseException as error:
        return "crash", f"{type(error).__name__}: {error}"
    if found == right(target):
        return "same", ""
    return _other(target, recipe, found, data)


def _other(target: Target, recipe: str, found: object, data: bytes) -> tuple[Outcome, str]:
    """Judge a reading that is not that of the example."""
    if target.sealed:
        return "silent", "another reading of a file with a checksum"
    if recipe.startswith("cut:") and not target.text:
        return "silent", f"{len(data)} of {len(target.data)} bytes were taken for a whole file"
    if target.says is not None:
        said = target.says(data)
        if said is None or said != found:
            what = "refuses it" if said is None else "reads something else"
            return "silent", f"another reader {what}: {str(found)[:200]}"
    return "unsealed", ""


@cache
def right(target: Target) -> Reading:
    """Return the reading of the example as it is."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / target.file
        path.parent.mkdir(exist_ok=True)
        if target.beside is not None:
            target.beside(Path(folder))
        path.write_bytes(target.data)
        return target.read(path)


def lacks(error: SamplarError, path: Path) -> str:
    """Name the part that a refusal lacks: the file, what was found, what to do, the code."""
    if error.path is None or path.name not in error.path:
        return f"no file ({error.path})"
    if len(error.problem.split()) < 2:
        return "no finding"
    if len(error.fix.split()) < 2:
        return "no fix"
    if not re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z0-9]+(_[a-z0-9]+)*", error.code):
        return "no code"
    if "\n" in error.line():
        return "several lines"
    return ""


@contextmanager
def _clock() -> Iterator[None]:
    """Raise `Late` after the limit; end the process if it does not even let go of the core."""

    def late(*_: object) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_SECONDS)
    faulthandler.dump_traceback_later(6 * LIMIT_SECONDS, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()
