"""In which precision the frozen and the trained parts compute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from samplar.config.training import Precision

AMPERE = (8, 0)
"""The first GPUs that compute in bf16; torch calls older ones able, which only imitate it."""


@dataclass(frozen=True)
class Precisions:
    """In which precision the parts of a fit compute, fp32 or bf16 each.

    Args:
        frozen: what does not train and is to say what it says in fp32; predictions as well.
        trained: the passes that train. They have no earlier result to agree with.
    """

    frozen: str
    trained: str


def chosen_precision(wanted: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """Return what `auto` means on this device.

    The rule asks what the processor can do, never how fast it is at the moment: a timing would
    make two runs of one command differ.
    """
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= AMPERE
        return "bf16" if native else "fp32"
    if device.type == "cpu":
        return "bf16" if torch.cpu._is_avx512_bf16_supported() else "fp32"
    return "fp32"


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Return the context in which to run the model."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def at_least_single(values: Tensor) -> Tensor:
    """Return half-precision values as float32, others as they are: for sums and for comparing."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
