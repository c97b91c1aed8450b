"""A benchmark of the tiny weights on phantom volumes, run once in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from phantom_sets import nifti, split_of

from samplar.api.bench.results import Results
from samplar.api.bench.run import Prepared, Ran, prepare, run
from samplar.evaluation.cell import Cell
from samplar.training.fit import Told

SHORT = {"training": {"iterations": 2, "pool": 4, "batch": 2, "precision": "fp32"}}
QUIET = Told(stage=lambda name, count: None, step=lambda done, loss=None: None, note=lambda _: None)


@dataclass
class Bench:
    """A configuration on disk, its results folder, and ways to run it."""

    config: Path
    results: Results

    def write(self, **values: Any) -> None:
        first = {"method": "decoder-only", "preset": "fast", "size": 32, "settings": SHORT}
        plain = {
            "datasets": [{"path": "set", "name": "balls", "split": "splits.json"}],
            "methods": [first],
            "k": [1, 2],
            "draws": [0],
            "strategy": "random",
            "weights": "tiny",
            "device": "cpu",
        }
        self.config.write_text(yaml.safe_dump({**plain, **values}))

    def prepare(self) -> Prepared:
        return prepare(self.config, self.results.path)

    def run(
        self, *, on_cell: Callable[[Any, Cell], None] = lambda cell, made: None, **more: Any
    ) -> Ran:
        return self.run_prepared(self.prepare(), on_cell=on_cell, **more)

    def run_prepared(
        self,
        prepared: Prepared,
        *,
        on_cell: Callable[[Any, Cell], None] = lambda cell, made: None,
        **more: Any,
    ) -> Ran:
        settings = {"workers": 0, "keep": False, "told": QUIET, **more}
        return run(prepared, on_cell=on_cell, **settings)

    def cells(self) -> dict[str, Cell]:
        return self.results.read_cells()

    def scorings(self) -> list[dict[str, Any]]:
        return self.results.read_scorings()


def new_bench(folder: Path) -> Bench:
    split_of(nifti(folder / "set"))
    made = Bench(folder / "bench.yaml", Results(folder / "results"))
    made.write()
    return made


@pytest.fixture
def bench(tmp_path) -> Bench:
    """Return a benchmark that has not been run."""
    return new_bench(tmp_path)


@pytest.fixture(scope="session")
def ran(tmp_path_factory) -> Bench:
    """Return a finished benchmark; not to be changed."""
    made = new_bench(tmp_path_factory.mktemp("bench"))
    zero = {"method": "zero-shot", "preset": "fast", "size": 32}
    named = {"method": "copy-nearest", "name": "copy", "preset": "fast", "size": 32}
    values = yaml.safe_load(made.config.read_text())
    made.write(
        methods=[*values["methods"], named, zero],
        k=[1, 2, "full"],
        draws=[0, 1],
        draws_at={2: 1},
    )
    made.run()
    return made
