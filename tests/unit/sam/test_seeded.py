from __future__ import annotations

import hashlib
import math

import torch

from samplar.sam.cards import TINY
from samplar.sam.model import Sam
from samplar.sam.seeded import digest_of, seeded_state


def draw(name: str, shape: tuple[int, ...], seed: int = 3) -> torch.Tensor:
    number = int(hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()[:16], 16) // 2
    return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(number)) - 1


def test_the_rule_by_hand():
    template = {
        "a.weight": torch.zeros(6, 2, 3),
        "norm.weight": torch.zeros(5),
        "norm.bias": torch.zeros(5),
        "bn.running_var": torch.zeros(4),
        "bn.num_batches_tracked": torch.tensor(9),
        "pe.positional_encoding_gaussian_matrix": torch.zeros(2, 4),
    }
    found = seeded_state(template, seed=3)
    assert found.keys() == template.keys()
    expected = {
        "a.weight": draw("a.weight", (6, 2, 3)) * math.sqrt(3 / 6),
        "norm.weight": 1 + draw("norm.weight", (5,)) / 10,
        "norm.bias": draw("norm.bias", (5,)) / 10,
        "bn.running_var": 1 + draw("bn.running_var", (4,)) / 2,
        "bn.num_batches_tracked": torch.tensor(0),
        "pe.positional_encoding_gaussian_matrix": math.sqrt(3)
        * draw("pe.positional_encoding_gaussian_matrix", (2, 4)),
    }
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-6, atol=0)


def test_values_depend_on_seed_and_name_only():
    state = Sam(TINY.shape).state_dict()
    backwards = dict(reversed(state.items()))
    assert digest_of(seeded_state(state, seed=0)) == digest_of(seeded_state(backwards, seed=0))
    assert digest_of(seeded_state(state, seed=0)) != digest_of(seeded_state(state, seed=1))


def test_the_digest_sees_names_shapes_and_values():
    base = {"a": torch.zeros(2, 3)}
    others = [{"b": torch.zeros(2, 3)}, {"a": torch.zeros(3, 2)}, {"a": torch.ones(2, 3)}]
    assert len({digest_of(state) for state in [base, *others]}) == 4
