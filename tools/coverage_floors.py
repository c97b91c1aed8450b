"""Check how much of the parts that guard data the tests reach: every line, nearly every branch.

Reads the data that `make coverage` left; what it asks of the rest stands in pyproject.toml.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
GUARDS = (
    "src/samplar/io/",
    "src/samplar/evaluation/",
    "src/samplar/training/checkpoint.py",
    "src/samplar/sam/weights.py",
)
BRANCHES = 95.0
"""Per cent of the branches of each of them."""


def measured() -> dict[str, Any]:
    """Return what was measured of every file, by its path."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "coverage.json"
        words = [sys.executable, "-m", "coverage", "json", "--fail-under=0", "-q", "-o", str(out)]
        subprocess.run(words, cwd=ROOT, check=True)
        files: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))["files"]
    return files


def verdict(guard: str, files: dict[str, Any]) -> tuple[str, bool]:
    """Return a line about one part, and whether it is covered well enough."""
    mine = {name: file for name, file in files.items() if name.startswith(guard)}
    if not mine:
        return f"{guard}: nothing was measured", False
    missed = [f"{name}:{line}" for name, file in mine.items() for line in file["missing_lines"]]
    sums = [file["summary"] for file in mine.values()]
    branches = sum(part["num_branches"] for part in sums)
    taken = sum(part["covered_branches"] for part in sums)
    share = 100 * taken / max(1, branches)
    lines = sum(part["num_statements"] for part in sums)
    text = f"{guard}: {lines - len(missed)} of {lines} lines, {share:.1f} % of {branches} branches"
    return " ".join([text, *missed]), not missed and share >= BRANCHES


def main() -> int:
    """Print a line for every part; fail if one falls short."""
    files = measured()
    verdicts = [verdict(guard, files) for guard in GUARDS]
    sys.stdout.write("\n".join(line for line, _ in verdicts) + "\n")
    return 0 if all(enough for _, enough in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
