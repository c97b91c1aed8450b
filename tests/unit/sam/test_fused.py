from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from samplar.sam import fused
from samplar.sam.tinyvit import MBConv, TinyViT, TinyViTShape


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def kernels_run(function):
    """Names of the oneDNN kernels that a call runs."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        function()
    return {event.key for event in profile.key_averages() if event.key.startswith("mkldnn::_")}


@pytest.mark.parametrize("capability", ["AVX2", "AVX512"])
def test_a_linear_layer_with_gelu_equals_the_two_steps(monkeypatch, capability):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    x, weight, bias = randn(3, 7, 16), randn(24, 16, seed=1), randn(24, seed=2)
    expected = F.gelu(F.linear(x, weight, bias))
    with torch.inference_mode():
        found = fused.linear_gelu(x, weight, bias)
        expected_kernels = {"mkldnn::_linear_pointwise"} if capability == "AVX512" else set()
        assert kernels_run(lambda: fused.linear_gelu(x, weight, bias)) == expected_kernels
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "groups"),
    [(1, 1, 0, 1), (3, 1, 1, 1), (3, 2, 1, 1), (3, 1, 1, 8), (1, 2, 0, 1)],
)
def test_a_convolution_with_gelu_equals_the_two_steps(kernel, stride, padding, groups):
    x = randn(2, 8, 9, 11).contiguous(memory_format=torch.channels_last)
    weight, bias = randn(16, 8 // groups, kernel, kernel, seed=1), randn(16, seed=2)
    pair = (stride, stride), (padding, padding)
    expected = F.gelu(F.conv2d(x, weight, bias, *pair, 1, groups))
    with torch.inference_mode():
        found = fused.conv_gelu(x, weight, bias, stride=pair[0], padding=pair[1], groups=groups)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_autocast_is_obeyed():
    x, weight, bias = randn(5, 16), randn(24, 16, seed=1), randn(24, seed=2)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = fused.linear_gelu(x, weight, bias)
    assert found.dtype == torch.bfloat16
    expected = F.gelu(F.linear(x, weight, bias))
    torch.testing.assert_close(found.float(), expected, rtol=2e-2, atol=2e-2)


def test_where_a_gradient_is_wanted_the_plain_operations_run():
    x, weight, bias = randn(5, 16), randn(24, 16, seed=1).requires_grad_(), randn(24, seed=2)
    assert not fused.fusable(x, weight, bias)
    assert not kernels_run(lambda: fused.linear_gelu(x, weight, bias))
    fused.linear_gelu(x, weight, bias).sum().backward()
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0
    with torch.no_grad():
        assert fused.fusable(x, weight, bias)


def test_other_devices_and_kinds_of_number_have_no_fused_kernels():
    assert fused.fusable(torch.empty(2))
    assert not fused.fusable(torch.empty(2, device="meta"))
    assert not fused.fusable(torch.empty(2, dtype=torch.float64))


def test_a_processor_without_bfloat16_products_gets_the_plain_operations(monkeypatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    assert fused.fusable(torch.empty(2))
    with torch.autocast("cpu", torch.bfloat16):
        assert not fused.fusable(torch.empty(2))
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not fused.fusable(torch.empty(2))


def test_autocast_to_float16_gets_the_plain_operations():
    with torch.autocast("cpu", torch.float16):
        assert not fused.fusable(torch.empty(2))


@pytest.mark.parametrize("height", [1, 2, 5, 16, 33])
@pytest.mark.parametrize("rows", [1, 4, 16, 100])
def test_strips_of_a_block_equal_the_block(monkeypatch, height, rows):
    torch.manual_seed(0)
    block = MBConv(8).eval()
    x = randn(2, 8, height, 12).contiguous(memory_format=torch.channels_last)
    expected = block(x)  # with gradients: the plain path
    monkeypatch.setattr(fused, "STRIP_BYTES", {4: rows * 12 * 32 * 4})
    with torch.inference_mode():
        assert fused.strip_height(12, 32) == rows
        found = block(x)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-5, atol=1e-5)


def test_a_strip_has_at_least_one_row_and_half_size_numbers_have_a_size_of_their_own():
    assert fused.strip_height(10**6, 1000) == 1
    assert fused.strip_height(224, 256) == 18
    with torch.autocast("cpu", torch.bfloat16):
        assert fused.strip_height(224, 256) == 9


def test_the_encoder_is_the_same_with_and_without_the_fast_path():
    torch.manual_seed(0)
    shape = TinyViTShape(
        widths=(8, 16, 24, 32), depths=(1, 1, 1, 1), heads=(1, 2, 3, 4), windows=(4, 4, 8, 4)
    )
    encoder = TinyViT(shape).eval()
    image = randn(2, 3, 64, 48)
    plain = encoder(image)
    with torch.inference_mode():
        fast = encoder(image)
    torch.testing.assert_close(fast, plain.detach(), rtol=1e-4, atol=1e-5)
