"""A small fit, what it has to leave behind, and how a user takes it up again."""

from __future__ import annotations

import json
from pathlib import Path

from command import QUICK
from zygote import Ended, Zygote

SMALL = (*QUICK, "--strategy", "random", "--set", "training.checkpoint_every=2")


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


def check_resumed(zygote: Zygote, data: Path, run: Path, whole: dict[str, object]) -> Ended:
    """Resume, and compare all that there is with an uninterrupted run."""
    ended = resume(zygote, data, run)
    assert ended.status == 0, ended.err
    assert "Traceback" not in ended.err
    assert content(run) == whole
    assert litter(run) == []
    return ended
