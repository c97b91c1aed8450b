"""What a process has to know to compute a cell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from samplar.api.bench.plan import Planned
from samplar.api.bench.results import Results
from samplar.config.bench import BenchConfig
from samplar.config.fit import FitConfig


@dataclass(frozen=True)
class Task:
    """A cell with what it is computed from; it travels to a process.

    Args:
        cell: what to compute.
        bench: the benchmark.
        results: the folder.
        exemplars: the list of exemplars.
        split: the split file of its draw.
        workers: how many processes compute at once, this one among them.
        keep: leave the run and the predictions in the work folder.
    """

    cell: Planned
    bench: BenchConfig
    results: Results
    exemplars: Path
    split: Path
    workers: int
    keep: bool

    @property
    def config(self) -> FitConfig:
        """The settings of the fit, complete."""
        places = {"dataset": self.cell.place.dataset.root, "split": self.split}
        return self.cell.config.model_copy(update={**places, "exemplars": self.exemplars})

    def on(self, device: str) -> Task:
        """Return the task for one device."""
        config = self.cell.config.model_copy(update={"device": device})
        return replace(self, cell=replace(self.cell, config=config))
