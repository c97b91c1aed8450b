"""What several files here need: a good run made once, and a quick command line."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import typer.testing
from command import QUICK, samplar
from phantom_sets import nifti

from samplar.methods import registry


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
