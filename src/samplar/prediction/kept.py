"""What the frozen part of the encoder made of each slice, kept on disk for models that share it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from samplar.io.atomic import write_bytes

HOLDS = "prefix, seconds"
"""What a file has in it; files of a version that kept something else are not found."""

LARGEST = 1 << 20
"""Bytes of one slice above which nothing is kept: reading it back would save little time."""


class KeptPrefixes:
    """A folder of prefixes, by the digest of the image and of all else that they depend on.

    The bytes that come back are those that were computed. Several processes may use one folder.

    Args:
        folder: existing; whoever made it removes it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found = 0
        """Slices that were found here."""
        self.spared = 0.0
        """Seconds that computing them had taken."""

    def __call__(self, images: Tensor, compute: Callable[[Tensor], Tensor], which: str) -> Tensor:
        """Return `compute(images)`, computed now or before by the function of this digest."""
        path = self.folder / f"{self._digest(images, which)}.safetensors"
        if path.is_file():
            kept = load(path.read_bytes())
            self.found += len(images)
            self.spared += kept["seconds"].item()
            return kept["prefix"].to(images.device)
        start = time.monotonic()
        made = compute(images)
        if made.nbytes <= LARGEST * len(images):
            seconds = torch.tensor(time.monotonic() - start, dtype=torch.float64)
            prefix = made.detach().cpu().contiguous()
            write_bytes(path, save({"prefix": prefix, "seconds": seconds}))
        return made

    def _digest(self, images: Tensor, which: str) -> str:
        threads = torch.get_num_threads()  # which may decide the last bit
        kind = images.device.type
        autocast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        known = f"{HOLDS} {which} {autocast} {threads} {tuple(images.shape)} {images.dtype}"
        hashed = hashlib.sha256(known.encode())
        hashed.update(images.detach().cpu().contiguous().numpy().tobytes())
        return hashed.hexdigest()
