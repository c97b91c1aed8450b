from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from samplar.methods.pixel_unet import PixelUNet
from samplar.methods.task_network import Shape, make_network

SHAPES = [(3, 2, 4, 3), (3, 5, 16, 6), (1, 2, 96, 4)]


def weights_in_order(blocks):
    """Return the tensors of blocks of two convolutions and two norms, convolution before norm."""
    for block in blocks:
        if isinstance(block, nn.Conv2d | nn.ConvTranspose2d):
            yield from block.parameters()
        else:
            convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
            norms = [m for m in block.modules() if isinstance(m, nn.InstanceNorm2d)]
            for layer in itertools.chain(*zip(convolutions, norms, strict=True)):
                yield from layer.parameters()


def blocks_of_monai(network, levels):
    """Walk down MONAI's chain of skip layers: what goes down, what grows, and what joins."""
    down, grow, join, layer = [], [], [], network[0]
    for _ in range(levels - 1):
        down.append(layer.downsample)
        grow.insert(0, layer.upsample.transp_conv.conv)
        join.insert(0, layer.upsample.conv_block)
        layer = layer.next_layer
    return [*down, layer, *grow, *join, network[1].conv.conv]


@pytest.mark.parametrize(("inputs", "outputs", "width", "levels"), SHAPES)
@torch.no_grad()
def test_is_the_network_of_monai(inputs, outputs, width, levels):
    shape = {"width": width, "levels": levels}
    counts = {"inputs": inputs, "outputs": outputs}
    theirs = make_network("unet", Shape(**shape), method="unet", **counts).eval()
    ours = PixelUNet(inputs, outputs, **shape).eval()
    blocks = [*ours.down, *ours.grow, *ours.join, ours.masks]
    chance = torch.Generator().manual_seed(0)
    pairs = zip(
        weights_in_order(blocks), weights_in_order(blocks_of_monai(theirs, levels)), strict=True
    )
    for own, other in pairs:
        assert own.shape == other.shape
        other.copy_(torch.randn(other.shape, generator=chance) * 0.1)
        own.copy_(other)
    count = sum(p.numel() for p in ours.parameters())
    assert count == sum(p.numel() for p in theirs.parameters())
    images = torch.rand(2, inputs, 64, 96, generator=chance)
    assert torch.allclose(ours(images), theirs(images), atol=1e-5, rtol=0)


def test_begins_as_nnunet_does():
    """Kaiming for a leaky ReLU: weights have the variance 2 / (fan in (1 + slope^2))."""
    torch.manual_seed(0)
    network = PixelUNet(3, 2, width=32, levels=4)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.weight.numel() > 5_000:
            wanted = (2 / (1 + 0.01**2) / layer.weight[0].numel()) ** 0.5
            assert layer.weight.std().item() == pytest.approx(wanted, rel=0.05)
    assert not network.masks.bias.any()
    assert not list(network.buffers())
