"""`samplar bench`: compare methods on data sets, cell by cell."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from samplar.cli.exits import SOME_FAILED
from samplar.cli.fetching import weights_ready
from samplar.cli.outputs import no_empty_folder
from samplar.cli.screen import Screen
from samplar.cli.verb import verb

if TYPE_CHECKING:
    from samplar.api.bench.plan import Planned
    from samplar.api.bench.run import Prepared, Ran
    from samplar.cli.progress import Progress
    from samplar.evaluation.cell import Cell

Config = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="YAML of data sets, methods, k, draws, seeds.")
]
Out = Annotated[
    Path,
    typer.Option("-o", "--out", metavar="RESULTS", help="Results folder.", show_default=False),
]
Workers = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        help="Processes that compute cells at once and share the cores; 0: in this one.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what there is to do.")]
Keep = Annotated[
    bool, typer.Option("--keep", help="Keep runs and predictions in RESULTS/work until next time.")
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "bench")(bench)


def bench(
    screen: Screen,
    *,
    config: Config,
    out: Out,
    workers: Workers = 1,
    dry_run: DryRun = False,
    keep: Keep = False,
) -> int:
    """Compare methods on data sets.

    Every method on every data set, for every k, draw and seed. A finished cell is never computed
    again: stop it when you like, and give the same command again to go on.
    """
    from samplar.api.bench.run import prepare, read_bench

    with screen.progress() as progress:
        for name in read_bench(config).base_weights:
            weights_ready(screen, progress, name)
    prepared = prepare(config, out)
    lines = _plan_lines(prepared, max(1, workers))
    if dry_run:
        screen.result(_document(prepared, workers, None), "\n".join(lines))
        return 0
    for line in lines:
        screen.note(line)
    try:
        ran = _run(screen, prepared, workers, keep)
    except KeyboardInterrupt as stop:
        command = shlex.join(["samplar", "bench", str(config), "-o", str(out)])
        raise type(stop)(f"Finished cells are kept. To go on: {command}") from None
    return _tell(screen, prepared, ran, workers)


def _run(screen: Screen, prepared: Prepared, workers: int, keep: bool) -> Ran:
    from samplar.api.bench.run import run
    from samplar.training.fit import Told

    total, done = len(prepared.to_do), [0.0, 0.0]
    with no_empty_folder(prepared.results.path), screen.progress() as progress:

        def on_cell(cell: Planned, made: Cell) -> None:
            done[0] += 1
            done[1] += prepared.seconds[cell.digest]
            _begin(progress, prepared, done)
            screen.note(f"{done[0]:.0f} of {total}: {_line(made)}")
            progress.step(round(done[1]))

        told = Told(stage=progress.stage, step=progress.step, note=screen.note)
        return run(prepared, workers=workers, keep=keep, told=told, on_cell=on_cell)


def _begin(progress: Progress, prepared: Prepared, done: list[float]) -> None:
    """Begin the bar of the cells with the first one; its length is in estimated seconds."""
    if done[0] == 1:
        progress.stage("cells", max(1, round(sum(prepared.seconds.values()))))


def _line(cell: Cell) -> str:
    if cell.evaluation is None or cell.cost is None:
        return f"{cell.key.words}: failed: {'' if cell.failure is None else cell.failure.line}"
    dsc = cell.evaluation.mean.dsc
    score = "no DSC" if dsc is None else f"DSC {dsc:.1f}"
    return f"{cell.key.words}: {score}, {cell.cost.total:.0f} s"


def _plan_lines(prepared: Prepared, workers: int) -> list[str]:
    from samplar.api.bench.estimate import by_set
    from samplar.report.facts import duration

    hours = sum(prepared.seconds.values()) / workers
    lines = [
        f"added, because trivial baselines are always in the table: {name}"
        for name in prepared.added
    ]
    lines.append(
        f"{prepared.count} cells: {len(prepared.done)} done already, "
        f"{len(prepared.to_do)} to do, about {duration(hours) or '0 s'} with {workers} "
        f"{'process' if workers == 1 else 'processes'}"
    )
    for name, seconds in by_set(prepared.to_do, prepared.seconds).items():
        count = sum(cell.key.dataset == name for cell in prepared.to_do)
        lines.append(f"  {name}: {count} cells, about {duration(seconds / workers)}")
    if prepared.bench.score == "test" and prepared.to_do:
        lines.append("test subjects are scored; each scoring is logged in test-scorings.jsonl")
    return lines


def _document(prepared: Prepared, workers: int, ran: Ran | None) -> dict[str, Any]:
    failed = {} if ran is None else ran.failed
    return {
        "results": str(prepared.results.path),
        "cells": prepared.count,
        "done_before": len(prepared.done),
        "to_do": len(prepared.to_do),
        "estimate_seconds": sum(prepared.seconds.values()) / max(1, workers),
        "added": prepared.added,
        "computed": [] if ran is None else ran.computed,
        "failed": [{"cell": name, "problem": line} for name, line in failed.items()],
    }


def _tell(screen: Screen, prepared: Prepared, ran: Ran, workers: int) -> int:
    out = prepared.results.path
    command = shlex.join(["samplar", "report", str(out)])
    count = len(prepared.done) + len(ran.computed)
    text = f"{count} of {prepared.count} cells are done, in {out}; next: {command}"
    if ran.failed:
        text += f"\n{len(ran.failed)} failed; the same bench command tries them again"
    screen.result(_document(prepared, workers, ran), text)
    return SOME_FAILED if ran.failed else 0
