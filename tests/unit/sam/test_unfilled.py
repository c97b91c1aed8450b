from __future__ import annotations

import subprocess
import sys

import torch
from torch import nn

from samplar.sam.cards import WEIGHTS
from samplar.sam.model import Sam, empty_sam
from samplar.sam.unfilled import Unfilled

CODE = """
import sys
from samplar.sam.weights import load_sam
load_sam("tiny")
print(*(m for m in ("torch._dynamo", "sympy") if m in sys.modules))
"""


def test_no_numbers_are_drawn_and_no_generator_moves():
    before = torch.get_rng_state()
    with Unfilled():
        layer = nn.Linear(3, 5)
        assert layer.weight.shape == (5, 3)
        assert torch.randn(2, 4).shape == (2, 4)
    assert torch.equal(torch.get_rng_state(), before)
    nn.Linear(3, 5)
    assert not torch.equal(torch.get_rng_state(), before)


def test_what_is_built_has_the_names_and_shapes_of_the_filled_one():
    shape = WEIGHTS["tiny"].shape
    sizes = {name: tensor.shape for name, tensor in Sam(shape).state_dict().items()}
    empty = empty_sam(shape).state_dict()
    assert {name: tensor.shape for name, tensor in empty.items()} == sizes
    assert {tensor.device.type for tensor in empty.values()} == {"meta"}


def test_weights_are_loaded_without_the_compiler_of_torch():
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
