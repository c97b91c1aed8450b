"""Run `samplar` in this process, or as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

from typer.testing import CliRunner

QUICK = (
    *("--weights", "tiny", "--size", "32", "--preset", "fast", "--device", "cpu"),
    *("--set", "training.iterations=4", "--set", "training.pool=6"),
    *("--set", "training.batch=2", "--set", "training.precision=fp32"),
)
"""Flags of a fit that takes a second."""


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


def samplar(*words: object) -> Ran:
    """Run in this process; an exception that gets out of the command line is raised here."""
    from samplar.cli.main import app

    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def start(*words: object, **environment: str) -> subprocess.Popen[str]:
    """Start a process of its own, on one core."""
    code = "from samplar.cli.main import run; run()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def process(*words: object, **environment: str) -> Ran:
    """Run to the end as a process of its own."""
    child = start(*words, **environment)
    out, err = child.communicate(timeout=120)
    return Ran(child.returncode, out, err)
