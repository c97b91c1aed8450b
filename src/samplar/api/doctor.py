"""What this installation is and can do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from samplar.api.manifest import versions
from samplar.errors import OutputError, SamplarError
from samplar.io.atomic import ensure_writable
from samplar.io.cache import CACHE_VARIABLE, cache_folder
from samplar.methods.registry import cards, load_method
from samplar.sam.device import chosen_device
from samplar.sam.precision import chosen_precision
from samplar.sam.stored import AREA
from samplar.sam.weights import weights_status
from samplar.training.presets import decide_preset, this_machine


def examine() -> dict[str, Any]:
    """Return versions, devices, cache, weights and methods, with a list of what is wrong.

    The keys: `ok`, `problems`, `versions`, `threads`, `cores`, `memory_gib`, `devices`, `device`,
    `precision`, `preset`, `cache`, `weights`, `methods`.
    """
    problems: list[str] = []
    machine, device = this_machine(), chosen_device("auto")
    facts: dict[str, Any] = {
        "versions": versions(),
        "threads": torch.get_num_threads(),
        "cores": machine.cores,
        "memory_gib": round(machine.memory, 1),
        "devices": _devices(),
        "device": str(device),
        "precision": chosen_precision("auto", device),
        "preset": decide_preset(machine)[0],
        "cache": _cache(problems),
        "weights": {status.name: status.present for status in weights_status()},
        "methods": _methods(problems),
    }
    return {"ok": not problems, "problems": problems, **facts}


def _devices() -> list[str]:
    cuda = [
        f"cuda:{number} ({torch.cuda.get_device_name(number)})"
        for number in range(torch.cuda.device_count())
    ]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return ["cpu", *cuda, *mps]


def _cache(problems: list[str]) -> dict[str, Any]:
    """Say where the cache is and whether it can be written; a cache not made yet stays unmade."""
    folder = cache_folder(AREA)
    try:
        writable = _can_be_written(folder)
    except OutputError as error:
        problems.append(error.line())
        return {"folder": str(folder), "writable": False}
    if not writable:
        problems.append(f"the cache folder {folder} cannot be made; set {CACHE_VARIABLE}")
    return {"folder": str(folder), "writable": writable}


def _can_be_written(folder: Path) -> bool:
    if folder.exists():
        ensure_writable(folder)
        return True
    above = next(parent for parent in folder.parents if parent.exists())
    return above.is_dir() and os.access(above, os.W_OK)


def _methods(problems: list[str]) -> dict[str, bool]:
    """Import every method; one that fails is a problem, not the end of the examination."""
    loads: dict[str, bool] = {}
    for name in cards():
        loads[name] = False
        try:
            load_method(name)
            loads[name] = True
        except (SamplarError, ImportError, SyntaxError, AttributeError, TypeError) as error:
            problems.append(f"the method {name} does not load: {error}")
    return loads
