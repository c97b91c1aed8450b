"""Products with their GELU in one pass over memory, where no gradient is wanted.

On a CPU the exact GELU as a pass of its own took 41 % of the encoder's time at 224 px in bf16, most
of it waiting for memory. oneDNN applies it while the product is still in registers; PyTorch carries
those kernels for its own compiler. Everywhere else, and wherever a gradient may be asked for, the
plain operations run; both agree to rounding (tests/unit/sam/test_fused.py).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

STRIP_BYTES = {4: 1 << 22, 2: 1 << 20}
"""What one strip of a wide map may take, by the bytes of a number: it should still be in a cache
when the next layer reads it, but the rows that two strips both need are computed twice. In float32
the products take longer than reading from the last level, and higher strips win; measured."""


_KINDS = (torch.float32, torch.bfloat16)


def fusable(*tensors: Tensor) -> bool:
    """Say whether the fused kernels exist for these tensors and no gradient will be asked for."""
    wanted = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    ours = all(t.device.type == "cpu" and t.dtype in _KINDS for t in tensors)
    return ours and not wanted and _has_kernels()


def _has_kernels() -> bool:
    """Say whether oneDNN is there, and knows bfloat16 on this processor if that is asked for."""
    if not torch.backends.mkldnn.is_available():
        return False
    if not torch.is_autocast_enabled("cpu"):
        return True
    half = torch.get_autocast_dtype("cpu") == torch.bfloat16
    return half and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def linear_gelu(
    x: Float[Tensor, "*b i"], weight: Float[Tensor, "o i"], bias: Float[Tensor, " o"]
) -> Float[Tensor, "*b o"]:
    """Return GELU(W x + b)."""
    if not fusable(x, weight, bias):
        return F.gelu(F.linear(x, weight, bias))
    if not _products_fuse():
        return torch.ops.aten.gelu_(F.linear(x, weight, bias))
    x, weight, bias = _in_one_precision(x, weight, bias)
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "gelu", [], "none")


def _products_fuse() -> bool:
    """Say whether oneDNN's product with GELU beats MKL's with GELU in place after it.

    It does with the vectors of AVX-512. With those of AVX2 it took up to half as long again.
    """
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def conv_gelu(
    x: Float[Tensor, "b c h w"],
    weight: Float[Tensor, "o i kh kw"],
    bias: Float[Tensor, " o"],
    *,
    stride: tuple[int, int],
    padding: tuple[int, int],
    groups: int,
) -> Float[Tensor, "b o u v"]:
    """Return GELU(convolution of x); a 1 x 1 kernel on a channels-last map is a linear layer."""
    if tuple(weight.shape[2:]) == (1, 1) and stride == (1, 1) and groups == 1:
        last = linear_gelu(x.permute(0, 2, 3, 1), weight.flatten(1), bias)
        return last.permute(0, 3, 1, 2)
    if not fusable(x, weight, bias):
        return F.gelu(F.conv2d(x, weight, bias, stride, padding, 1, groups))
    x, weight, bias = _in_one_precision(x, weight, bias)
    return torch.ops.mkldnn._convolution_pointwise(
        x, weight, bias, padding, stride, (1, 1), groups, "gelu", [], "none"
    )


def _in_one_precision(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Do what autocast does for the operations it knows."""
    if not torch.is_autocast_enabled("cpu"):
        return tensors
    return tuple(t.to(torch.get_autocast_dtype("cpu")) for t in tensors)


def strip_height(width: int, channels: int) -> int:
    """Return how many rows of a map `width` pixels wide fit into `STRIP_BYTES`, at least one."""
    size = 2 if torch.is_autocast_enabled("cpu") else 4
    return max(1, STRIP_BYTES[size] // (width * channels * size))
