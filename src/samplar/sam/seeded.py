"""Random weights that are the same everywhere: each value follows from a seed and its name.

A model built twice in any order, or by other code with the same parameter names, gets the same
bytes. Only uniform draws are used: unlike normal ones they are bit-identical on every processor.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

import torch
from torch import Tensor


def seeded_state(template: Mapping[str, Tensor], *, seed: int) -> dict[str, Tensor]:
    """Return values for every floating tensor of a state dict; counters become zero.

    The rule, with `u` uniform in [-1, 1) from a generator seeded by the first 8 bytes of
    sha256("SEED/NAME") without their top bit:
    running variance 1 + u/2; position matrix sqrt(3) u; other vectors u/10, plus 1 for a norm's
    `weight`; everything else sqrt(3 / fan_in) u, where fan_in is the size over the first axis.
    """
    return {name: _values(name, tensor, seed) for name, tensor in template.items()}


def _values(name: str, tensor: Tensor, seed: int) -> Tensor:
    if not tensor.is_floating_point():
        return torch.zeros(tensor.shape, dtype=tensor.dtype)
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    # in place: the largest model has 2.6 GB of weights
    u = torch.rand(tensor.shape, generator=generator).mul_(2).sub_(1)
    if name.endswith("running_var"):
        return u.div_(2).add_(1)
    if name.endswith("positional_encoding_gaussian_matrix"):
        return u.mul_(math.sqrt(3))
    if tensor.ndim == 1:
        return u.div_(10).add_(1 if name.endswith("weight") else 0)
    return u.mul_(math.sqrt(3 * tensor.shape[0] / tensor.numel()))


def digest_of(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names, shapes and values of a state dict, in name order."""
    total = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.numpy().tobytes())
    return total.hexdigest()
