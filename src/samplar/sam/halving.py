"""Images that belong to nobody's average, in as large batches as memory allows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from samplar.errors import is_out_of_memory


def by_halves(run: Callable[[slice], Tensor], count: int, *, start: int = 0) -> Tensor:
    """Return `run` over `count` rows from `start`, halving the batch while memory does not suffice.

    Each image is computed by itself, so the batch decides nothing but the order of rounding on a
    GPU.

    Args:
        run: returns one row for each row of the slice that it is given.
        count: how many rows.
        start: the first of them.

    Raises:
        MemoryError, torch.OutOfMemoryError: there is not the memory for a single row.
    """
    try:
        return run(slice(start, start + count))
    except Exception as error:
        if count == 1 or not is_out_of_memory(error):
            raise
    # Not inside `except`: the error holds the tensors of the batch that was too large.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = count // 2
    return torch.cat(
        [by_halves(run, half, start=start), by_halves(run, count - half, start=start + half)]
    )
