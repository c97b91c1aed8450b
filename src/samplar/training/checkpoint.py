"""Crash-safe training state: folders that are complete or not there, resumed bit for bit.

A checkpoint is `step-000120/` with the trained tensors, the optimiser's tensors, the running means
where there are any, and `state.json`, which holds the digests of these files and of itself. It is
written under a temporary name and renamed. Resuming takes the newest whose digests hold and says
what it passed over. Nothing is pickled; random numbers need no state, every iteration draws from a
stream of its own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from samplar.errors import InputError
from samplar.io.atomic import make_folder, remove_folder, replace_folder, write_bytes

ADAPTER = "adapter.safetensors"
OPTIMIZER = "optimizer.safetensors"
MEANS = "means.safetensors"
STATE = "state.json"
KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """Training state after `step` iterations.

    Args:
        step: iterations done.
        adapter: trained tensors by name.
        optimizer: AdamW's tensors, `NAME.exp_avg`, `NAME.exp_avg_sq` and `NAME.step`.
        run: digest of everything that decides the run's result; a checkpoint of another is refused.
        means: running means of trained tensors by name, if they are kept.
    """

    step: int
    adapter: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    run: str
    means: Mapping[str, Tensor] = field(default_factory=dict)


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint, then remove all but the newest two.

    Raises:
        OutputError: see `samplar.io.atomic`; the checkpoints that were there still are.
    """
    final = folder / f"step-{checkpoint.step:06d}"
    working = folder / f"{final.name}.tmp"
    shutil.rmtree(working, ignore_errors=True)
    files = {ADAPTER: checkpoint.adapter, OPTIMIZER: checkpoint.optimizer, MEANS: checkpoint.means}
    try:
        make_folder(working)
        digests = {
            name: _write(working / name, save(dict(tensors)))
            for name, tensors in files.items()
            if tensors or name != MEANS
        }
        state = {"step": checkpoint.step, "run": checkpoint.run, "sha256": digests}
        _write(working / STATE, json.dumps({**state, "state": _digest(state)}, indent=1).encode())
        replace_folder(working, final)
    finally:  # on a full disk half a checkpoint would be in the way of all else
        shutil.rmtree(working, ignore_errors=True)
    for old in sorted(folder.glob("step-??????"))[:-KEPT]:
        remove_folder(old)
    return final


def sweep(folder: Path) -> None:
    """Remove what a process that was killed left half written."""
    for unfinished in folder.glob("step-*.tmp"):
        shutil.rmtree(unfinished, ignore_errors=True)


def _write(path: Path, data: bytes) -> str:
    write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


def _digest(state: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def newest_checkpoint(folder: Path, *, run: str) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest whole checkpoint of this run, and a line for each one passed over.

    Raises:
        InputError: `resume.other_run` when the checkpoints belong to other settings or exemplars.
    """
    skipped: list[str] = []
    for path in sorted(folder.glob("step-??????"), reverse=True):
        try:
            checkpoint = _read(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            skipped.append(f"{path.name} is damaged ({error}) and was passed over")
            continue
        if checkpoint.run != run:
            raise other_run(folder)
        return checkpoint, skipped
    return None, skipped


def other_run(folder: Path) -> InputError:
    """Return the refusal to go on in a folder that belongs to another run."""
    return InputError(
        "what is here was made with other settings, exemplars or weights",
        fix="Resume with the settings in config.yaml, or choose another output folder",
        code="resume.other_run",
        path=folder,
    )


def _read(path: Path) -> Checkpoint:
    state = json.loads((path / STATE).read_bytes())
    if state.pop("state") != _digest(state) or path.name != f"step-{state['step']:06d}":
        raise ValueError(f"{STATE} is not what was written")
    tensors = {name: _read_tensors(path / name, state["sha256"][name]) for name in state["sha256"]}
    means = tensors.get(MEANS, {})
    return Checkpoint(state["step"], tensors[ADAPTER], tensors[OPTIMIZER], state["run"], means)


def _read_tensors(path: Path, expected: str) -> dict[str, Tensor]:
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise ValueError(f"{path.name} has digest {found[:12]}, expected {expected[:12]}")
    return load(data)


def optimizer_tensors(
    optimizer: torch.optim.AdamW, names: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return AdamW's state by parameter name."""
    return {
        f"{name}.{key}": value.detach().cpu().contiguous()
        for name, parameter in names.items()
        for key, value in optimizer.state[parameter].items()
    }


def restore_optimizer(
    optimizer: torch.optim.AdamW, names: Mapping[str, Tensor], saved: Mapping[str, Tensor]
) -> None:
    """Put back what `optimizer_tensors` returned; the fused AdamW counts steps on the device."""
    for name, parameter in names.items():
        keys = [key for key in saved if key.rpartition(".")[0] == name]
        for key in keys:
            part = key.rpartition(".")[2]
            optimizer.state[parameter][part] = saved[key].to(parameter.device)
