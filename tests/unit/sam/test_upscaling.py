from __future__ import annotations

import pytest
import torch

from samplar.sam.upscaling import Upscaling, placed


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("grid", [(1, 1), (3, 5), (8, 2)])
def test_cell_by_cell_equals_the_published_convolutions(grid):
    torch.manual_seed(0)
    upscaling = Upscaling(16)
    image = randn(2, 16, *grid)
    expected = upscaling(image)
    tokens = image.flatten(2).transpose(1, 2)
    found = placed(upscaling.cells(tokens), grid)
    assert found.shape == (2, 2, 4 * grid[0], 4 * grid[1])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    with torch.inference_mode():
        torch.testing.assert_close(
            placed(upscaling.cells(tokens), grid), expected.detach(), rtol=1e-5, atol=1e-6
        )


def test_both_forms_give_the_same_gradients():
    torch.manual_seed(0)
    upscaling = Upscaling(16)
    image, weight = randn(2, 16, 3, 4), randn(2, 2, 12, 16, seed=1)
    gradients = []
    for run in (
        upscaling,
        lambda x: placed(upscaling.cells(x.flatten(2).transpose(1, 2)), (3, 4)),
    ):
        leaf = image.clone().requires_grad_()
        upscaling.zero_grad()
        (run(leaf) * weight).sum().backward()
        gradients.append([leaf.grad, *(p.grad.clone() for p in upscaling.parameters())])
    for plain, fast in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-5)


def test_the_names_are_the_published_ones():
    assert [name for name, _ in Upscaling(16).named_parameters()] == [
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
        "3.weight",
        "3.bias",
    ]


def test_another_layer_is_refused():
    upscaling = Upscaling(16)
    upscaling[3] = torch.nn.Conv2d(4, 2, 2)
    with pytest.raises(TypeError, match="transposed"):
        upscaling.cells(randn(1, 2, 16))
