"""Run a benchmark: what is there stays, what is missing is computed, one cell after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from samplar.api.bench.choice import Choice
from samplar.api.bench.compute import failed
from samplar.api.bench.data import read_places
from samplar.api.bench.estimate import Estimate
from samplar.api.bench.plan import Planned, finished, plan, write_plan
from samplar.api.bench.results import Results
from samplar.api.bench.rows import rows_of
from samplar.api.bench.task import Task
from samplar.api.bench.team import run_here, run_in_processes
from samplar.config.base import build
from samplar.config.bench import BenchConfig, check_bench
from samplar.errors import InputError, SamplarError
from samplar.evaluation.cell import Cell
from samplar.io.documents import read_yaml
from samplar.training.fit import Told


@dataclass(frozen=True)
class Prepared:
    """What a benchmark is going to do.

    Args:
        name: of the configuration file, without suffix.
        bench: the configuration.
        results: the folder.
        cells: all of them.
        done: names of the files of finished ones, by digest; several places may share one.
        added: trivial methods that were not configured.
        seconds: what each cell that is still to be computed will take, by digest.
    """

    name: str
    bench: BenchConfig
    results: Results
    cells: list[Planned]
    done: dict[str, str]
    added: list[str]
    seconds: dict[str, float]

    @property
    def count(self) -> int:
        """How many cells there are; several places of the table may share one."""
        return len(self._distinct)

    @property
    def to_do(self) -> list[Planned]:
        """The cells that have no scores yet, each digest once."""
        return [cell for cell in self._distinct.values() if cell.digest not in self.done]

    @property
    def _distinct(self) -> dict[str, Planned]:
        """The first cell of each digest: two rows may have the same settings at some k."""
        found: dict[str, Planned] = {}
        for cell in self.cells:
            found.setdefault(cell.digest, cell)
        return found

    def look_again(self) -> None:
        """Enter as done what others have finished since; only now may nobody else compute."""
        found = finished(self.results.read_cells())
        self.done.update({c.digest: found[c.digest] for c in self.to_do if c.digest in found})

    def write_plan(self) -> None:
        """Write which cells there are to be, for the report."""
        names = {digest: cell.name for digest, cell in self._distinct.items()} | self.done
        places = [(names[cell.digest], cell.key) for cell in self.cells]
        write_plan(self.results, self.name, self.bench, places)


@dataclass
class Ran:
    """How it went: the names of cells computed now, and of those that failed with the reason."""

    computed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def read_bench(path: Path) -> BenchConfig:
    """Read a configuration.

    Raises:
        InputError: `document.*`, `bench.shape`.
        UsageError: `config.invalid` or `bench.config`, with all problems in one line.
    """
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise InputError(
            "this is not the configuration of a benchmark",
            fix="Write datasets: and methods:, as in benchmarks/few_exemplars",
            code="bench.shape",
            path=path,
        )
    return check_bench(build(BenchConfig, values, path=str(path)))


def prepare(path: Path, out: Path) -> Prepared:
    """Find out what there is to do; nothing is written.

    Args:
        path: the configuration; the paths in it start from its folder.
        out: the results folder; it need not exist.
    """
    bench, results = read_bench(path), Results(out)
    rows = rows_of(bench)
    cells = plan(bench, read_places(bench, path.absolute().parent), rows)
    there = results.read_cells()
    done = finished(there)
    missing = [cell for cell in cells if cell.digest not in done]
    estimate = Estimate([there[name] for name in done.values()], bench.device)
    return Prepared(
        name=path.stem,
        bench=bench,
        results=results,
        cells=cells,
        done={cell.digest: done[cell.digest] for cell in cells if cell.digest in done},
        added=[row.shown for row in rows if row.added],
        seconds={cell.digest: estimate.seconds(cell) for cell in missing},
    )


def run(
    prepared: Prepared,
    *,
    workers: int,
    keep: bool,
    told: Told,
    on_cell: Callable[[Planned, Cell], None],
) -> Ran:
    """Compute every cell that has no scores yet.

    Args:
        prepared: what to do; cells that another bench finished meanwhile are entered as done.
        workers: how many processes compute at once; 0 is this process itself.
        keep: leave runs and predictions in the work folder.
        told: whom to tell how far the choice of exemplars is.
        on_cell: told of each cell that is done or has failed.

    Raises:
        SamplarError: what is not the fault of one cell.
    """
    ran, left = Ran(), Counter[str]()

    def enter(cell: Planned, made: Cell) -> None:
        left[cell.pool] -= 1
        if not left[cell.pool]:
            prepared.results.forget_prefixes(cell.pool)
        if made.failure is None:
            ran.computed.append(cell.name)
        else:
            ran.failed[cell.name] = made.failure.line
        on_cell(cell, made)

    with prepared.results.held():
        prepared.look_again()
        left.update(cell.pool for cell in prepared.to_do)
        prepared.write_plan()
        tasks = _tasks(prepared, workers, keep, told, enter)
        if workers:
            run_in_processes(tasks, count=workers, on_cell=lambda task, c: enter(task.cell, c))
        else:
            run_here(tasks, on_cell=lambda task, c: enter(task.cell, c), note=told.note)
    return ran


def _tasks(
    prepared: Prepared,
    workers: int,
    keep: bool,
    told: Told,
    enter: Callable[[Planned, Cell], None],
) -> list[Task]:
    """Choose the exemplars of every draw; cells of a choice that is not possible have failed."""
    choice = Choice(prepared.bench, prepared.results, told)
    tasks: list[Task] = []
    for cell in prepared.to_do:
        try:
            tasks.append(
                Task(
                    cell=cell,
                    bench=prepared.bench,
                    results=prepared.results,
                    exemplars=choice.file_for(cell),
                    split=choice.split_for(cell),
                    workers=max(1, workers),
                    keep=keep,
                )
            )
        except SamplarError as error:
            made = failed(cell, error)
            prepared.results.write_cell(cell.name, made)
            enter(cell, made)
    return tasks
