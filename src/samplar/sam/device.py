"""Where to compute."""

from __future__ import annotations

import torch

from samplar.errors import UsageError


def chosen_device(wanted: str) -> torch.device:
    """Return the device for `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises:
        UsageError: `device.absent` for a device this machine does not have: never another instead.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = wanted.partition(":")[0]
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if kind not in there or not there[kind]:
        raise UsageError(
            f"the device {wanted!r} is not on this machine",
            fix=f"Use one of: auto, {', '.join(name for name, found in there.items() if found)}",
            code="device.absent",
        )
    return torch.device(wanted)
