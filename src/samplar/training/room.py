"""When a training step does not fit into memory: the batch that does, found by trying."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch

from samplar.errors import ResourceError, is_out_of_memory

GIB = 1 << 30

Found = TypeVar("Found")


def tried(attempt: Callable[[], Found]) -> Found | None:
    """Return what the attempt returns, or None where memory ran out; what it held is free then."""
    try:
        return attempt()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def no_room(
    attempt: Callable[[int], object], *, batch: int, step: int, device: torch.device
) -> ResourceError:
    """Halve the batch until a step fits, and return the error that says so.

    A smaller batch would be another run: the loss is an average over it. So nothing is changed.

    Args:
        attempt: all that is computed of the first images of the batch; takes no step.
        batch: how many were too many.
        step: the iteration, counted from 1.
        device: where.
    """
    used = _in_use(device)
    smaller = batch // 2
    while smaller and tried(partial(attempt, smaller)) is None:
        smaller //= 2
    advice = f"Start again with --set training.batch={smaller}, which fits, or a smaller --size"
    return ResourceError(
        f"memory ran out in a batch of {batch} at iteration {step}{used}",
        fix=(advice if smaller else "Use a smaller --size: a single image does not fit")
        + "; where there is more memory, --resume goes on from the last saved state",
        code="training.memory",
    )


def _in_use(device: torch.device) -> str:
    if device.type != "cuda":
        return ""
    peak = torch.cuda.max_memory_allocated(device) / GIB
    whole = torch.cuda.get_device_properties(device).total_memory / GIB
    return f" with {peak:.1f} of {whole:.1f} GiB of the GPU in use"
