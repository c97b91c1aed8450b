"""Processes that compute cells: each cell has one of its own, which writes the cell and ends.

So a cell that runs out of memory takes no other with it, the peak memory of a process is that of
its cell, and nothing of one cell can reach the next.
"""

from __future__ import annotations

import signal
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

import torch

from samplar.api.bench.compute import compute, failed
from samplar.api.bench.orphan import end_with_parent
from samplar.api.bench.results import read_cell
from samplar.api.bench.task import Task
from samplar.errors import ResourceError
from samplar.evaluation.cell import Cell
from samplar.prediction.processes import (
    PATIENCE,
    SPAWN,
    how_it_ended,
    interrupts_kept_back,
    leave,
)
from samplar.sam.device import chosen_device, device_of
from samplar.sam.memory import keep_freed_memory

OnCell = Callable[[Task, Cell], None]


@dataclass
class Running:
    """A process, its place among the others, and what it computes."""

    process: SpawnProcess
    place: int
    task: Task


def run_here(tasks: Sequence[Task], *, on_cell: OnCell, note: Callable[[str], None]) -> None:
    """Compute every cell in this process, one after the other."""
    for task in tasks:
        on_cell(task, compute(task, note=note))


def run_in_processes(tasks: Sequence[Task], *, count: int, on_cell: OnCell) -> None:
    """Compute the cells in at most `count` processes at once, in order.

    Args:
        tasks: the cells.
        count: how many processes; the threads of this one are shared among them.
        on_cell: told of each cell that is done or has failed.

    Raises:
        OutputError: when a cell cannot be written.
    """
    waiting, running = deque(tasks), list[Running]()
    threads = max(1, torch.get_num_threads() // count)
    try:
        while waiting or running:
            while waiting and len(running) < count:
                running.append(_start(waiting.popleft(), running, threads))
            ended = set(wait([one.process.sentinel for one in running]))
            for one in [one for one in running if one.process.sentinel in ended]:
                running.remove(one)
                on_cell(one.task, _outcome(one))
    finally:
        _end(running)


def _start(task: Task, running: Sequence[Running], threads: int) -> Running:
    place = next(n for n in range(len(running) + 1) if n not in {one.place for one in running})
    device = str(device_of(chosen_device(task.bench.device), place))
    process = SPAWN.Process(target=_work, args=(task, device, threads), daemon=True)
    with interrupts_kept_back():
        process.start()
    return Running(process, place, task)


def _work(task: Task, device: str, threads: int) -> None:
    end_with_parent()
    signal.signal(signal.SIGTERM, leave)
    keep_freed_memory()
    torch.set_num_threads(threads)
    compute(task.on(device), note=_say)


def _say(line: str) -> None:
    """Pass on a traceback; the notes of a hundred fits would drown the bench's own."""
    if line.startswith("Traceback"):
        sys.stderr.write(line)


def _outcome(one: Running) -> Cell:
    """Read what the process wrote; if it died first, write that it has failed.

    A process may die after it wrote its cell, while it is taken down: the scores stay.
    """
    one.process.join()
    task, path = one.task, one.task.results.cells / f"{one.task.cell.name}.json"
    if path.exists():
        found = read_cell(path)
        scored = found.digest == task.cell.digest and found.evaluation is not None
        if scored or one.process.exitcode == 0:
            return found
    error = ResourceError(
        f"the process of this cell {how_it_ended(one.process.exitcode)}",
        fix="Memory may have run out: use fewer --workers",
        code="bench.died",
    )
    cell = failed(task.cell, error)
    task.results.write_cell(task.cell.name, cell)
    return cell


def _end(running: Sequence[Running]) -> None:
    for one in running:
        one.process.terminate()
    for one in running:
        one.process.join(PATIENCE)
        one.process.kill()
        one.process.join()
