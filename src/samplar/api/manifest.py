"""What a run used: versions and cost, for manifest.json and the report."""

from __future__ import annotations

import platform
import resource
import sys
from importlib.metadata import version
from typing import Any

import torch

from samplar import __version__
from samplar.methods.adapted import AdaptedSam

LIBRARIES = ("torch", "numpy", "scipy", "nibabel", "pillow", "pydantic", "safetensors")


def versions() -> dict[str, str]:
    """Return the versions of samplar, Python and the libraries that decide results."""
    own = {"samplar": __version__, "python": platform.python_version()}
    return own | {name: version(name) for name in LIBRARIES}


def resources(model: AdaptedSam, *, seconds: float, adapter_bytes: int) -> dict[str, Any]:
    """Return what a fit cost, in the fields of the report's `Resources`."""
    return {
        "device": f"{model.sam.device}, {torch.get_num_threads()} threads",
        "fit_seconds": round(seconds, 2),
        "peak_memory_bytes": peak_memory(),
        "trainable_parameters": sum(p.numel() for p in model.trained().values()),
        "adapter_bytes": adapter_bytes,
    }


def numbers_by_rate(model: AdaptedSam) -> dict[str, int]:
    """Return how many numbers train at each share of the learning rate, fastest first."""
    trained, counts = model.trained(), dict[str, int]()
    for name in sorted(trained, key=lambda name: -model.rates[name]):
        shown = f"{model.rates[name]:g}"
        counts[shown] = counts.get(shown, 0) + trained[name].numel()
    return counts


def peak_memory() -> int:
    """Return the largest resident size this process has had, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
