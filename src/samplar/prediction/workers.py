"""Several processes for many cases: who gets which case, and what happens when one of them dies.

Each asks for its next case when it can use one, the largest first, so all end at about the same
time. When a process dies nobody knows which of the cases it held was too much for it (it reads one
ahead and writes one behind): they are begun again one by one, each in a process of its own, and the
one that kills that process too has failed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

import torch

from samplar.errors import ResourceError
from samplar.io.case import Case
from samplar.prediction.predict import Result
from samplar.prediction.processes import (
    PATIENCE,
    SPAWN,
    how_it_ended,
    interrupts_kept_back,
)
from samplar.prediction.worker import Job, Message, work
from samplar.sam.device import device_of


@dataclass
class Worker:
    """A process, our end of its pipe, its place, where its cases come from, and those it holds."""

    process: SpawnProcess
    pipe: Connection
    place: int
    source: deque[int]
    held: list[int] = field(default_factory=list)
    sent_off: bool = False


class Workers:
    """Processes that share cases.

    Args:
        job: what to do.
        count: how many processes.
        device: where to compute; with several GPUs each process has its own in turn.
        on_case: told how many cases are done.
    """

    def __init__(
        self, job: Job, *, count: int, device: torch.device, on_case: Callable[[int, str], None]
    ) -> None:
        self.job = job
        self.count = min(count, len(job.cases))
        self.device = device
        self.on_case = on_case
        self.threads = max(1, torch.get_num_threads() // max(1, self.count))
        self.waiting = deque(_largest_first(job.cases))
        self.suspects: deque[int] = deque()
        self.live: list[Worker] = []
        self.results: dict[int, Result] = {}
        self.notes: list[str] = []

    def run(self) -> dict[int, Result]:
        """Predict every case; return what became of each, by its number.

        Raises:
            SamplarError: what is not the fault of one case; with `options.strict`, the first
                failure; `workers.start`, when no process gets as far as its first case.
        """
        self.on_case(0, "")
        try:
            while len(self.results) < len(self.job.cases):
                self._hire()
                ready = set(wait([worker.pipe for worker in self.live]))
                for worker in [worker for worker in self.live if worker.pipe in ready]:
                    self._hear(worker)
        finally:
            self._end()
        return self.results

    def _hire(self) -> None:
        while len(self.live) < self.count and (self.waiting or self.suspects):
            source = self.waiting or deque([self.suspects.popleft()])
            self.live.append(self._start(source))

    def _start(self, source: deque[int]) -> Worker:
        ours, theirs = SPAWN.Pipe()
        taken = {worker.place for worker in self.live}
        place = next(n for n in range(self.count) if n not in taken)
        device = device_of(self.device, place)
        process = SPAWN.Process(
            target=work, args=(theirs, self.job, device, self.threads), daemon=True
        )
        with interrupts_kept_back():
            process.start()
        theirs.close()  # so that the pipe ends when the process does
        return Worker(process, ours, place, source)

    def _hear(self, worker: Worker) -> None:
        try:
            message: Message = worker.pipe.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return
        if isinstance(message, Exception):
            raise message
        if message is None:
            self._give(worker)
            return
        number, result = message
        worker.held.remove(number)
        self._enter(number, result)

    def _give(self, worker: Worker) -> None:
        number = worker.source.popleft() if worker.source else None
        worker.sent_off = number is None
        if number is not None:
            worker.held.append(number)
        with suppress(BrokenPipeError):  # it has just died, and will be buried
            worker.pipe.send(number)

    def _enter(self, number: int, result: Result) -> None:
        if isinstance(result, ResourceError) and self.job.options.strict:
            raise result
        self.results[number] = result
        self.on_case(len(self.results), "")

    def _bury(self, worker: Worker) -> None:
        """Give the cases of a process that has ended to others, or learn that one is too much."""
        self.live.remove(worker)
        worker.pipe.close()
        worker.process.join(PATIENCE)
        how = how_it_ended(worker.process.exitcode)
        if worker.held and worker.source is not self.waiting:  # for the second time, and alone
            self._enter(worker.held[0], _too_much(self.job.cases[worker.held[0]], how))
        elif worker.held:
            names = ", ".join(self.job.cases[n].id for n in worker.held)
            self.notes.append(f"a worker process {how}; begun again one by one: {names}")
            self.suspects.extend(worker.held)
        elif not worker.sent_off:
            if worker.source is not self.waiting:
                self.suspects.extend(worker.source)
            self._do_with_fewer(how)

    def _do_with_fewer(self, how: str) -> None:
        self.count -= 1
        if self.count == 0:
            raise ResourceError(
                f"a worker process {how} before its first case",
                fix="Use fewer --workers, or none",
                code="workers.start",
            )
        self.notes.append(f"a worker process {how} before its first case; {self.count} went on")

    def _end(self) -> None:
        for worker in self.live:
            if not worker.sent_off or worker.held:
                worker.process.terminate()
        for worker in self.live:
            worker.process.join(PATIENCE)
            worker.process.kill()
            worker.process.join()


def _too_much(case: Case, how: str) -> ResourceError:
    return ResourceError(
        f"the process that worked on {case.id} {how}",
        fix="Memory may have run out: use fewer --workers, or crop the image",
        code="workers.died",
        path=case.images[0],
    )


def _largest_first(cases: Sequence[Case]) -> list[int]:
    """Return the numbers of the cases by the size of their files; equal ones stay in order."""
    return sorted(range(len(cases)), key=lambda n: -_bytes(cases[n]))


def _bytes(case: Case) -> int:
    return sum(path.stat().st_size for path in case.images if path.is_file())
