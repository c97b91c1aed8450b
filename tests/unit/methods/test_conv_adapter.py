from __future__ import annotations

import numpy as np
import pytest
import torch

from samplar.methods.conv_adapter import ConvAdapter


def by_hand(x, weights):
    """Return the adapter's output for (h, w, c), pixel by pixel."""
    height, width, channels = x.shape
    mean = sum(x[i, j] for i in range(height) for j in range(width)) / (height * width)
    hidden = np.maximum(weights["channel.0.weight"] @ mean, 0)
    gated = x / (1 + np.exp(-(weights["channel.2.weight"] @ hidden)))
    rows, columns = (height + 1) // 2, (width + 1) // 2
    small = np.zeros((rows, columns, channels))
    for i, j, a, b in np.ndindex(rows, columns, 3, 3):
        y, z = 2 * i + a - 1, 2 * j + b - 1
        if 0 <= y < height and 0 <= z < width:
            small[i, j] += weights["spatial.0.weight"][:, :, a, b] @ gated[y, z]
    small = np.maximum(small, 0)
    large = np.zeros((2 * rows + 2, 2 * columns + 2, channels))
    for i, j, a, b in np.ndindex(rows, columns, 4, 4):
        large[2 * i + a, 2 * j + b] += small[i, j] @ weights["spatial.2.weight"][:, :, a, b]
    total = x + np.maximum(large[1 : height + 1, 1 : width + 1], 0)
    spread = np.sqrt(total.var(axis=2, keepdims=True) + 1e-5)
    normed = (total - total.mean(axis=2, keepdims=True)) / spread
    return normed * weights["norm.weight"] + weights["norm.bias"]


@pytest.mark.parametrize("shape", [(6, 4), (5, 7)])
@torch.no_grad()
def test_is_what_the_formulas_say_also_on_odd_sides(shape):
    torch.manual_seed(0)
    adapter = ConvAdapter(8, start="random")
    torch.nn.init.normal_(adapter.norm.weight)
    torch.nn.init.normal_(adapter.norm.bias)
    x = torch.randn(2, *shape, 8)
    weights = {name: tensor.double().numpy() for name, tensor in adapter.state_dict().items()}
    for image, found in zip(x, adapter(x), strict=True):
        expected = by_hand(image.double().numpy(), weights)
        np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-5)


def test_started_at_zero_it_adds_nothing_and_can_learn():
    torch.manual_seed(0)
    adapter = ConvAdapter(8, start="zero")
    x = torch.randn(1, 4, 4, 8)
    assert not adapter(x).any()
    adapter(x).square().sum().backward()
    assert adapter.norm.weight.grad is not None


def test_the_published_start_spreads_by_what_goes_out():
    torch.manual_seed(0)
    adapter = ConvAdapter(64, start="random")
    assert adapter.channel[0].weight.std().item() == pytest.approx((2 / 16) ** 0.5, rel=0.1)
    assert adapter.spatial[0].weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.1)
