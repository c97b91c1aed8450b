"""Where frozen-prefix activations wait for the trainer: in memory first, past a limit in a file."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from samplar.io.scratch import reserve


class PrefixCache:
    """A table of `rows` activations of one shape, filled in order, read in any order.

    The file part is a plain memory map that belongs to this object; `close` removes it.
    """

    def __init__(self, rows: int, sample: Tensor, *, limit: int, folder: Path) -> None:
        """Prepare for `rows` activations like `sample` (c, i, j), `limit` bytes in memory.

        Raises:
            OSError: the disk has no room for the others.
        """
        self.shape = sample.shape
        row_bytes = sample.numel() * sample.element_size()
        self.in_memory = min(rows, limit // row_bytes)
        self.memory = torch.empty(self.in_memory, *sample.shape, dtype=sample.dtype)
        self.path = folder / "prefix-cache.tmp"
        self.path.unlink(missing_ok=True)  # of a process that was killed
        self.disk: Tensor | None = None
        if rows > self.in_memory:
            count = (rows - self.in_memory) * sample.numel()
            reserve(self.path, count * sample.element_size())
            flat = torch.from_file(str(self.path), shared=True, size=count, dtype=sample.dtype)
            self.disk = flat.view(-1, *sample.shape)
        self.filled = 0

    def append(self, rows: Float[Tensor, "b c i j"]) -> None:
        """Add the next activations."""
        for row in rows.to(self.memory.device, self.memory.dtype):
            self._slot(self.filled).copy_(row)
            self.filled += 1

    def _slot(self, index: int) -> Tensor:
        if index < self.in_memory or self.disk is None:
            return self.memory[index]
        return self.disk[index - self.in_memory]

    def read(self, indices: Integer[Tensor, " b"]) -> Float[Tensor, "b c i j"]:
        """Return the activations at these rows, channels-last."""
        rows = torch.stack([self._slot(int(i)) for i in indices])
        return rows.contiguous(memory_format=torch.channels_last)

    def close(self) -> None:
        """Give the file back."""
        self.disk = None
        self.path.unlink(missing_ok=True)
