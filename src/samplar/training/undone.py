"""What is computed to try something and leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from samplar.methods.adapted import AdaptedSam


@contextmanager
def undone(model: AdaptedSam) -> Iterator[None]:
    """Put back all that trains when the block ends, and drop its gradients.

    No step of the optimiser is needed for a change: a method may count what it sees while training.
    """
    before = {name: p.detach().to("cpu", copy=True) for name, p in model.trained().items()}
    try:
        yield
    finally:
        model.zero_grad(set_to_none=True)
        with torch.no_grad():
            for name, parameter in model.trained().items():
                parameter.copy_(before[name])
