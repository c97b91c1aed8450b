"""Where a verb writes: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from samplar.cli.progress import PlainLines, Progress, RichBars, Silence


class Screen:
    """The terminal, or whatever reads our output.

    With `as_json` stdout holds one JSON document and nothing else; with `quiet` stderr holds only
    what went wrong.
    """

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self.as_json = as_json
        self.quiet = quiet

    def result(self, document: Any, text: str) -> None:
        """Write what was asked for: the document with --json, else the text."""
        shown = json.dumps(document, indent=1) if self.as_json else text.rstrip("\n")
        sys.stdout.write(shown + "\n")
        sys.stdout.flush()

    def note(self, line: str) -> None:
        """Write what is good to know."""
        if not self.quiet:
            self.warn(line)

    def warn(self, line: str) -> None:
        """Write what must be known."""
        sys.stderr.write(line.rstrip() + "\n")
        sys.stderr.flush()

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Show how far long work is: bars on a terminal, lines elsewhere."""
        shown = self._progress()
        try:
            yield shown
        finally:
            shown.close()

    def _progress(self) -> Progress:
        if self.quiet:
            return Silence()
        return RichBars() if sys.stderr.isatty() else PlainLines(self.note)
