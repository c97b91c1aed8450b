"""A small fit, what it has to leave behind, and how a user takes it up again."""

from __future__ import annotations

import json
import re
from pathlib import Path

from command import QUICK
from zygote import Ended, Zygote

EVERY = 2
"""Iterations between checkpoints, of four."""
SMALL = (*QUICK, "--strategy", "random", "--set", f"training.checkpoint_every={EVERY}")


def content(run: Path) -> dict[str, object]:
    """Return what a run has made, without the times."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        del row["seconds"]
    names = ["config.yaml", "exemplars.yaml", "draws.jsonl", "synthesis.png"]
    files = [run / name for name in names] + sorted((run / "adapter").iterdir())
    return {"rows": rows, **{path.name: path.read_bytes() for path in files}}


def litter(folder: Path) -> list[str]:
    """Return what should not be there once a command has ended in good order."""
    return [path.name for path in folder.rglob("*") if path.name.startswith(".samplar")] + [
        path.name for path in folder.rglob("*.tmp")
    ]


def resume(zygote: Zygote, data: Path, run: Path) -> Ended:
    """Give the command that a user would give: without the flags, once they are written down."""
    written = (run / "config.yaml").exists()
    flags = () if written else SMALL
    return zygote.run("fit", data, "-o", run, *flags, "--resume", folder=run)


def newest_step(run: Path) -> int:
    """Return the iterations of the newest checkpoint in a run, 0 if there is none."""
    return max((int(path.name[5:]) for path in run.glob("checkpoints/step-??????")), default=0)


def resumed_after(ended: Ended) -> int:
    """Return after how many iterations a run went on, as it says."""
    found = re.search(r"resumed after (?:the last )?iteration,? (\d+)", ended.err)
    return int(found[1]) if found else 0


def check_resumed(zygote: Zygote, data: Path, run: Path, whole: dict[str, object]) -> Ended:
    """Resume from the newest checkpoint there is, and compare all with an uninterrupted run."""
    newest = newest_step(run)
    ended = resume(zygote, data, run)
    assert ended.status == 0, ended.err
    assert resumed_after(ended) == newest
    assert "Traceback" not in ended.err
    assert content(run) == whole
    assert litter(run) == []
    return ended
