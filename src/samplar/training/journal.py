"""metrics.jsonl: one line per iteration, readable while the run goes on."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType


class Journal:
    """Append rows of numbers to a file; a resumed run first drops the rows it will write again."""

    def __init__(self, path: Path, *, keep_before: int) -> None:
        """Open the journal, keeping rows whose `step` is at most `keep_before`."""
        kept = [row for row in read_journal(path) if row["step"] <= keep_before]
        text = "".join(json.dumps(row) + "\n" for row in kept)
        path.write_text(text, encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")

    def write(self, row: dict[str, float | int]) -> None:
        """Add one row; it is in the file when this returns."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def read_journal(path: Path) -> list[dict[str, float | int]]:
    """Return the whole rows of a journal; a last line cut short by a crash is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines if line]
