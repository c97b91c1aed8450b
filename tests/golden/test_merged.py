"""What samplar computes with an adapter, and the original code with the merged file made of it."""

from __future__ import annotations

import pytest
import torch
from golden_recipe import recipe_of
from safetensors.torch import load_file

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def maker():
    return recipe_of("merged")


@pytest.fixture(scope="module")
def golden(maker):
    return load_file(maker.GOLDEN)


@torch.no_grad()
@pytest.mark.parametrize("name", ["samed_s", "samed", "decoder_only"])
def test_the_original_code_computes_the_same(maker, golden, name):
    case = maker.CASES[name]
    model = maker.adapter(case["method"], case["classes"])
    images = maker.image(case["size"])
    found = model(model.prefix(images), images)
    assert found.shape == (2, case["classes"] + 1, case["size"], case["size"])
    torch.testing.assert_close(found, golden[name], rtol=0, atol=TOLERANCE)


def test_the_golden_values_are_not_degenerate(maker, golden):
    assert set(golden) == set(maker.CASES)
    for name, value in golden.items():
        assert torch.isfinite(value).all(), name
        assert (value.std(dim=(2, 3)) > 0.01).all(), name
        assert (value[0] - value[1]).abs().max() > 0.01, name
