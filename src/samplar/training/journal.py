"""metrics.jsonl: one line per iteration, readable while the run goes on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType

from samplar.io.atomic import explained, write_bytes

Row = dict[str, float | int]


class Journal:
    """Append rows of numbers to a file; a resumed run first drops the rows it will write again.

    Args:
        path: of the file.
        keep_before: rows whose `step` is at most this are kept.

    Raises:
        OutputError: see `samplar.io.atomic`; so do the methods.
    """

    def __init__(self, path: Path, *, keep_before: int) -> None:
        self.path = path
        self.kept = [row for row in read_journal(path) if row["step"] <= keep_before]
        write_bytes(path, "".join(map(_line, self.kept)).encode())
        self._file = path.open("ab", buffering=0)

    def write(self, row: Row) -> None:
        """Add one row; it is in the file when this returns."""
        rest = memoryview(_line(row).encode())
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise explained(error, self.path) from error

    def sync(self) -> None:
        """Return once every row is on the disk."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise explained(error, self.path) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def read_journal(path: Path) -> list[Row]:
    """Return the rows of a journal up to the first that a crash cut short or left unreadable."""
    if not path.exists():
        return []
    rows: list[Row] = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            row = json.loads(line)
        except ValueError:
            break
        if not (isinstance(row, dict) and isinstance(row.get("step"), int)):
            break
        rows.append(row)
    return rows


def _line(row: Row) -> str:
    return json.dumps(row) + "\n"
