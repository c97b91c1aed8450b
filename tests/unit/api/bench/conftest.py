"""A benchmark of the tiny weights on phantom volumes, run once in this process."""

from __future__ import annotations

import shutil
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


class Plain(yaml.SafeDumper):
    """Writes what is there twice twice: a configuration may hold no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@dataclass
class Bench:
    """A configuration on disk, its results folder, and ways to run it."""

    config: Path
    results: Results

    @staticmethod
    def row(method: str) -> dict[str, Any]:
        """Return a short row of the table."""
        return {"method": method, "preset": "fast", "size": 32, "settings": SHORT}

    def write(self, **values: Any) -> None:
        plain = {
            "datasets": [{"path": "set", "name": "balls", "split": "splits.json"}],
            "methods": [self.row("decoder-only")],
            "k": [1, 2],
            "draws": [0],
            "strategy": "random",
            "weights": "tiny",
            "device": "cpu",
        }
        self.config.write_text(yaml.dump({**plain, **values}, Dumper=Plain))

    def change(self, **values: Any) -> None:
        self.write(**{**yaml.safe_load(self.config.read_text()), **values})

    def file_of(self, method: str, k: int | str, draw: int = 0) -> Path:
        """Return the file of a cell."""
        wanted = (method, k, draw)
        keys = {name: cell.key for name, cell in self.cells().items()}
        (name,) = [n for n, key in keys.items() if (key.method, key.k, key.draw) == wanted]
        return self.results.cells / f"{name}.json"

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


@pytest.fixture
def copied(ran, tmp_path) -> Bench:
    """Return a copy of the finished benchmark, to be changed."""
    folder = tmp_path / "copy"
    shutil.copytree(ran.config.parent, folder)
    return Bench(folder / "bench.yaml", Results(folder / "results"))
