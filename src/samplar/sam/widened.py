"""Checkpoints in half or double precision, brought to float32 without changing a number.

Community files are often kept in float16 or bfloat16, whose every value float32 can hold; a float64
file may hold values that it cannot. Nothing is rounded: what does not fit is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from samplar.errors import WeightsError

WIDTHS = {torch.float16: "float16", torch.bfloat16: "bfloat16", torch.float64: "float64"}
"""What is brought to float32, and what the report calls it."""


def to_float32(
    state: Mapping[str, Tensor], *, path: Path | None = None
) -> tuple[dict[str, Tensor], dict[str, tuple[str, ...]]]:
    """Return a table with every tensor of `WIDTHS` as float32, and the names that were of each.

    Values that are not finite stay so, for `check_state` to refuse.

    Raises:
        WeightsError: `weights.dtype`, when float32 cannot hold a value exactly.
    """
    table = {name: _exact(name, tensor, path) for name, tensor in state.items()}
    found = {
        kind: tuple(name for name, tensor in state.items() if tensor.dtype == dtype)
        for dtype, kind in WIDTHS.items()
    }
    return table, {kind: names for kind, names in found.items() if names}


def _exact(name: str, tensor: Tensor, path: Path | None) -> Tensor:
    if tensor.dtype not in WIDTHS or tensor.layout != torch.strided:
        return tensor
    single = tensor.to(torch.float32)
    if tensor.dtype != torch.float64:
        return single
    changed = int(((single.double() != tensor) & tensor.isfinite()).sum())
    if changed:
        raise WeightsError(
            f"{name} holds float64, and float32 cannot hold {changed:,} of its "
            f"{tensor.numel():,} values exactly",
            fix="Save the weights as float32, so that the rounding is yours, and give that file",
            code="weights.dtype",
            path=path,
        )
    return single
