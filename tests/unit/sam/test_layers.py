from __future__ import annotations

import pytest
import torch
from torch import nn

from samplar.sam.layers import ConvNorm, LayerNorm2d, Mlp


def scrambled(module, seed=0):
    chance = torch.Generator().manual_seed(seed)
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=chance) + 0.1)
    return module


def image(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("kernel", "stride", "groups"), [(1, 1, 1), (3, 1, 1), (3, 2, 6), (3, 1, 6)]
)
def test_conv_norm_equals_a_convolution_and_a_batch_norm_in_evaluation(kernel, stride, groups):
    layer = scrambled(ConvNorm(6, 12, kernel=kernel, stride=stride, groups=groups)).eval()
    x = image(2, 6, 9, 7)
    torch.testing.assert_close(layer(x), layer.bn(layer.c(x)), rtol=1e-5, atol=1e-5)


def test_conv_norm_keeps_its_statistics_while_training():
    layer = scrambled(ConvNorm(3, 4)).train()
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    layer(image(2, 3, 5, 5)).sum().backward()
    assert all(torch.equal(before[name], tensor) for name, tensor in layer.state_dict().items())
    assert layer.bn.weight.grad.abs().min() > 0
    assert layer.c.weight.grad.abs().max() > 0


def test_layer_norm_2d_by_hand():
    layer = scrambled(LayerNorm2d(5))
    x = image(2, 5, 3, 4)
    mean = x.mean(1, keepdim=True)
    variance = ((x - mean) ** 2).mean(1, keepdim=True)
    expected = (x - mean) / (variance + 1e-6).sqrt()
    expected = expected * layer.weight.view(-1, 1, 1) + layer.bias.view(-1, 1, 1)
    torch.testing.assert_close(layer(x), expected)


def test_mlp_has_relu_between_its_layers_and_none_at_the_end():
    mlp = scrambled(Mlp(4, 6, 3, depth=3))
    plain = nn.Sequential(mlp.layers[0], nn.ReLU(), mlp.layers[1], nn.ReLU(), mlp.layers[2])
    x = -image(5, 4).abs()
    assert torch.equal(mlp(x), plain(x))
    assert len(list(Mlp(4, 6, 3, depth=1).layers)) == 1
