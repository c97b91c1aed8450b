"""The results folder: one JSON file per cell, and everything the cells share."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import ValidationError

from samplar.errors import InputError, ResourceError
from samplar.evaluation.cell import Cell
from samplar.io.atomic import (
    ensure_writable,
    explained,
    make_folder,
    sweep,
    whole_files,
    write_bytes,
)

CELLS = "cells"

AREAS = (CELLS, "exemplars", "splits", "plans", "overlays")
"""Folders that are written to and stay."""

PREFIXES = "work/prefixes"
"""Folder of what frozen encoders made of slices and pools, while a benchmark runs."""


@dataclass(frozen=True)
class Results:
    """A results folder; see `docs/reference/benchmark.md` for what lies in it."""

    path: Path

    @property
    def cells(self) -> Path:
        """One JSON file per cell."""
        return self.path / CELLS

    @property
    def scorings(self) -> Path:
        """The log of every scoring of test subjects."""
        return self.path / "test-scorings.jsonl"

    @property
    def page(self) -> Path:
        """The report."""
        return self.path / "report.html"

    def area(self, name: str) -> Path:
        """Return a folder of it, made if absent: exemplars, splits, overlays, plans, work."""
        folder = self.path / name
        make_folder(folder)
        return folder

    def read_cells(self) -> dict[str, Cell]:
        """Return every cell by the name of its file without suffix, sorted.

        Raises:
            InputError: `bench.cell` for a file that is not a cell.
        """
        return {path.stem: read_cell(path) for path in whole_files(self.cells, "*.json")}

    def write_cell(self, name: str, cell: Cell) -> None:
        """Write a cell; it is there whole, or not at all."""
        write_bytes(self.area(CELLS) / f"{name}.json", cell.text().encode())

    def log_scoring(self, row: dict[str, Any]) -> None:
        """Add a line to the log of test scorings; it is on disk when this returns.

        Several processes write here: a line is one call, appended by the system as a whole. It
        begins on a line of its own, should somebody have been stopped within the one before.

        Raises:
            OutputError: the line is not there, or only a part of it.
        """
        when = datetime.now(UTC).isoformat(timespec="seconds")
        line = json.dumps({"when": when, **row}).encode() + b"\n"
        try:
            _append(self.scorings, line)
        except OSError as error:
            raise explained(error, self.scorings) from error

    def read_scorings(self) -> list[dict[str, Any]]:
        """Return the rows of that log.

        A line that is no JSON object is passed over: whoever wrote it was stopped within it, and
        so before the test subjects were scored.
        """
        if not self.scorings.exists():
            return []
        lines = self.scorings.read_text("utf-8", errors="replace").splitlines()
        return [row for row in map(_row, lines) if row is not None]

    def forget_prefixes(self, name: str = "") -> None:
        """Remove what frozen encoders made: of one pool by its name, or all."""
        shutil.rmtree(self.path / PREFIXES / name, ignore_errors=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from computing into the same folder; what they left half done is removed.

        Raises:
            OutputError: the folder cannot be written to.
            ResourceError: `bench.busy`.
        """
        ensure_writable(self.path)
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise ResourceError(
                "another samplar bench is computing into this folder",
                fix="Wait for it, or give another folder with -o",
                code="bench.busy",
                path=self.path,
            ) from error
        try:
            shutil.rmtree(self.path / "work", ignore_errors=True)
            for area in AREAS:
                sweep(self.path / area)
            yield
        finally:
            self.forget_prefixes()
            lock.release()


def _append(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        if os.lseek(descriptor, 0, os.SEEK_END):
            os.lseek(descriptor, -1, os.SEEK_END)
            if os.read(descriptor, 1) != b"\n":
                line = b"\n" + line
        if os.write(descriptor, line) < len(line):  # the system says why only to the next call
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def read_cell(path: Path) -> Cell:
    """Read one cell.

    Raises:
        InputError: `bench.cell`.
    """
    try:
        return Cell.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        first = " ".join(str(error).splitlines()[:3])
        raise InputError(
            f"is not a cell of a benchmark ({first})",
            fix="Bring the file back, or remove it: the cell is then computed again",
            code="bench.cell",
            path=path,
        ) from error


def is_results(path: Path) -> bool:
    """Tell whether a folder holds results of a benchmark."""
    return (path / CELLS).is_dir()
