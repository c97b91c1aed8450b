"""What `--preset auto` means on a machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import torch

GIB = 1 << 30
ENOUGH_CORES = 2
ENOUGH_MEMORY = 4.0


@dataclass(frozen=True)
class Machine:
    """What decides the preset: a CUDA device, processor cores for this process, memory in GiB."""

    cuda: bool
    cores: int
    memory: float


def this_machine() -> Machine:
    """Look at the machine; nothing is timed."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return Machine(torch.cuda.is_available(), cores or 1, pages * page / GIB)


def decide_preset(machine: Machine) -> tuple[Literal["fast", "standard"], str]:
    """Return the preset for a machine, and the reason in a few words.

    The rule asks what the machine is, never how fast it is at the moment: a timing would make two
    equal commands differ. `paper` is never chosen for the user; it takes hours.
    """
    if machine.cuda:
        return "standard", "a CUDA device is there"
    if machine.cores >= ENOUGH_CORES and machine.memory >= ENOUGH_MEMORY:
        return "standard", f"{machine.cores} cores and {machine.memory:.0f} GiB of memory are there"
    return "fast", (
        f"{machine.cores} cores and {machine.memory:.1f} GiB of memory, fewer than "
        f"{ENOUGH_CORES} and {ENOUGH_MEMORY:.0f}"
    )
