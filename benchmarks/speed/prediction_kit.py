"""What the benchmark of prediction works on: an adapter, phantom volumes, operations, a command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from samplar import __version__
from samplar.methods.adapted import AdaptedSam
from samplar.methods.registry import load_method
from samplar.prediction.adapter import load_adapter, save_adapter
from samplar.sam.weights import find_card, load_sam

WEIGHTS = "lite-medsam"
CLASSES = 7
SIDE = 2048


@dataclass(frozen=True)
class Ran:
    """Seconds of a command until it ended and until its first file was there; peak memory, MB."""

    seconds: float
    first_file: float
    memory: float


def make_adapter(folder: Path, size: int) -> Path:
    """Save `decoder-only` as it is before training: what a prediction costs does not depend on it.

    The labels it gives mean nothing.
    """
    method = load_method("decoder-only")
    torch.manual_seed(0)
    model = AdaptedSam(load_sam(WEIGHTS), method, method.config(), CLASSES)
    fields = {
        "samplar": __version__,
        "method": "decoder-only",
        "method_config": {},
        "weights": WEIGHTS,
        "weights_sha256": find_card(WEIGHTS).sha256,
        "class_names": tuple(f"class{n}" for n in range(CLASSES)),
        "class_values": tuple(range(1, CLASSES + 1)),
        "size": size,
        "plane": "axial",
        "intensity": {"kind": "percentile", "low": 0.5, "high": 99.5},
        "channels": None,
        "precision": "auto",
        "seed": 0,
        "exemplars": [],
        "exemplars_digest": "0" * 64,
    }
    save_adapter(folder, model, fields)
    return folder


def make_volume(path: Path, slices: int, *, seed: int = 0, side: int = 128) -> Path:
    """Write an int16 volume of side x side x slices: ellipsoids of several greys in noise."""
    chance = np.random.default_rng(seed)
    shape = (side, side, slices)
    places = np.indices(shape, dtype=np.float32)
    array = chance.normal(100, 10, shape)
    for index in range(1, CLASSES + 1):
        middle = chance.uniform(0.25, 0.75, 3) * shape
        away = sum(((places[n] - middle[n]) / (0.15 * shape[n])) ** 2 for n in range(3))
        array[away < 1] += 60 * index
    image = nibabel.Nifti1Image(array.astype(np.int16), np.diag([-1.0, -1.0, 1.0, 1.0]))
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)
    return path


def operations(adapter: Path, size: int) -> dict[str, float]:
    """Return the floating-point operations of one slice in the encoder and in the decoder.

    Counted where a gradient is wanted: there the plain operations run, which torch can count, and
    nothing is computed twice to save memory traffic.
    """
    model = load_adapter(adapter).requires_grad_(True)
    images = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False) as whole:
        model(images if model.prefix_steps == 0 else model.sam.encode(images), images)
    with FlopCounterMode(display=False) as encoder:
        model.sam.encode(images)
    total, first = whole.get_total_flops(), encoder.get_total_flops()
    return {"encoder": first, "decoder": total - first}


def peak(precision: str, *, turns: int = 12) -> float:
    """Return the operations per second of the fastest of some large matrix products."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    square = torch.rand(SIDE, SIDE).to(kind)
    best = float("inf")
    for _ in range(turns):
        start = time.perf_counter()
        square @ square
        best = min(best, time.perf_counter() - start)
    return 2 * SIDE**3 / best


def predict(adapter: Path, images: Path, out: Path, *words: str, threads: int) -> Ran:
    """Run `samplar predict` as a process of its own, from start to end."""
    command = [sys.executable, "-m", "samplar", "predict", adapter, images, "-o", out, "-q", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    start, first, memory = time.perf_counter(), 0.0, 0.0
    child = subprocess.Popen(  # noqa: S603  (our own program)
        [str(word) for word in command], env=environment, stdout=subprocess.DEVNULL
    )
    while child.poll() is None:
        if not first and any(out.glob("*.nii.gz")):
            first = time.perf_counter() - start
        memory = max(memory, resident(child.pid))
        time.sleep(0.01)
    if child.returncode:
        raise SystemExit(f"{command} ended with {child.returncode}")
    return Ran(time.perf_counter() - start, first, memory)


def resident(pid: int) -> float:
    """Return the memory of a process and its children in MB, as Linux tells it; 0 once gone."""
    folder = Path("/proc") / str(pid)
    try:
        pages = int((folder / "statm").read_text(encoding="utf-8").split()[1])
        children = (folder / "task" / str(pid) / "children").read_text(encoding="utf-8").split()
    except OSError:
        return 0.0
    own = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return own + sum(resident(int(child)) for child in children)
