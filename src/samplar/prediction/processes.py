"""What all processes of ours share: how they are started, told to end, and how they ended."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

PATIENCE = 20.0
"""Seconds for a process that was told to end, before it is killed."""

SPAWN = multiprocessing.get_context("spawn")  # a fork would share torch's threads and CUDA


def leave(number: int, _frame: FrameType | None) -> NoReturn:
    """End as an interrupt does: what is being written is finished or taken away."""
    sys.exit(128 + number)


def how_it_ended(status: int | None) -> str:
    """Say in words how a process ended, from its exit code."""
    if status is None or status >= 0:
        return f"ended with status {status}"
    return f"was ended by {signal.Signals(-status).name}"


@contextmanager
def interrupts_kept_back() -> Iterator[None]:
    """Start a process that never sees Ctrl-C, which is meant for us: we end it in good order."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows has no masks
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
