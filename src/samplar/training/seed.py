"""Random generators: one per purpose, all from the one seed of the run."""

from __future__ import annotations

import hashlib

import torch


def generator(seed: int, purpose: str) -> torch.Generator:
    """Return a CPU generator whose stream belongs to this seed and this purpose alone.

    Streams do not depend on the order in which purposes are asked for, so adding a draw in one part
    never changes another.
    """
    digest = hashlib.sha256(f"{seed}:{purpose}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
