"""What several files here need: a good run made once, a quick command line, processes to kill.

`make faults` sets SAMPLAR_FAULTS=full: every write step and 500 random moments. Else a few of each.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.testing
from command import QUICK, samplar
from phantom_sets import nifti
from zygote import Ended, Zygote

from samplar.methods import registry

FULL = os.environ.get("SAMPLAR_FAULTS") == "full"
COUNTS: dict[str, Counter[str]] = {}


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.close()


@dataclass(frozen=True)
class Bench:
    """Where faults are tried: the process that runs samplar, and the tally of this test."""

    zygote: Zygote
    count: Counter[str]

    @property
    def run(self) -> Callable[..., Ended]:
        return self.zygote.run

    def some(self, everything: Sequence[Any], few: int) -> list[Any]:
        """Thin out a list to a few, evenly; a full run takes all of it."""
        count = len(everything) if FULL else min(few, len(everything))
        return [everything[(2 * n + 1) * len(everything) // (2 * count)] for n in range(count)]


@pytest.fixture
def bench(zygote: Zygote, request: pytest.FixtureRequest) -> Bench:
    file = Path(str(request.node.path)).stem
    return Bench(zygote, COUNTS.setdefault(f"{file}, {request.node.name}", Counter()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if COUNTS:
        terminalreporter.section("faults")
    for name, counted in COUNTS.items():
        shown = ", ".join(f"{number} {what}" for what, number in counted.items())
        terminalreporter.write_line(f"{name}: {shown}")


@pytest.fixture(scope="session", autouse=True)
def _quick_commands():
    """Read the methods' cards and build the commands once, not for each of hundreds of calls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "read_card", cache(registry.read_card))
        patch.setattr(typer.testing, "_get_command", cache(typer.testing._get_command))
        yield


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Path:
    """A good run, made once; tests copy what they damage."""
    base = tmp_path_factory.mktemp("good")
    made = samplar("fit", nifti(base / "set"), "-o", base / "run", *QUICK)
    assert made.status == 0, made.err
    return base / "run"
