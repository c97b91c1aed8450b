"""A process that predicts the cases it is given, one after the other."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import torch

from samplar.errors import SamplarError
from samplar.io.case import Case
from samplar.io.dataset import Dataset
from samplar.prediction.adapter import load_adapter, read_card
from samplar.prediction.predict import Options, Result, results_of
from samplar.prediction.stages import Stages, truth_in
from samplar.sam.memory import keep_freed_memory

if TYPE_CHECKING:
    from samplar.methods.adapted import AdaptedSam

Message = None | tuple[int, Result] | Exception
"""What a worker says: it wants a case; what became of one; why it cannot go on."""


@dataclass(frozen=True)
class Job:
    """What every worker has to know.

    Args:
        adapter: a run folder or an adapter folder.
        cases: all of them; a worker is given numbers.
        dataset: where the truth of the cases can be found, if anywhere.
        out: an existing folder.
        options: their precision is decided.
    """

    adapter: Path
    cases: tuple[Case, ...]
    dataset: Dataset | None
    out: Path
    options: Options

    def stages(self, model: AdaptedSam) -> Stages:
        """Return the stages of its cases with the model loaded from its adapter."""
        card = read_card(self.adapter)
        return Stages(model, card, self.out, self.options, truth_in(self.dataset, card.plane))


def work(pipe: Connection, job: Job, device: torch.device, threads: int) -> None:
    """Ask for numbers of cases, predict them, say what became of each; end when there is none left.

    Args:
        pipe: to the process that gives the cases.
        job: what to do.
        device: where to compute.
        threads: how many threads may compute.
    """
    signal.signal(signal.SIGTERM, _leave)
    keep_freed_memory()
    torch.set_num_threads(threads)
    given: list[int] = []
    try:
        stages = job.stages(load_adapter(job.adapter, device=device))
        for n, result in enumerate(results_of(stages, _asked(pipe, job, given))):
            pipe.send((given[n], result))
    except (EOFError, ConnectionError):  # nobody is there any more
        return
    except Exception as error:  # whatever it is, the other end decides what it means
        pipe.send(_portable(error))


def _asked(pipe: Connection, job: Job, given: list[int]) -> Iterator[Case]:
    while True:
        pipe.send(None)
        number = pipe.recv()
        if number is None:
            return
        given.append(number)
        yield job.cases[number]


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    """End as an interrupt does: what is being written is finished or taken away."""
    sys.exit(128 + number)


def _portable(error: Exception) -> Exception:
    """Return an error that can travel: one of ours, or one that says what another one was."""
    if isinstance(error, SamplarError):
        return error
    told = RuntimeError(f"{type(error).__name__}: {error}")
    told.add_note(f"In a worker process:\n{''.join(traceback.format_exception(error))}")
    return told
