"""What machine the figures of a cell were made on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from samplar.evaluation.cell import Machine


def this_machine(device: str, *, workers: int) -> Machine:
    """Describe the machine.

    Args:
        device: as a fit names it, perhaps with its threads after a comma.
        workers: how many cells are computed at once.
    """
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cores=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        workers=workers,
        device=device.partition(",")[0],
    )


def _processor() -> str:
    """Return the name of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
