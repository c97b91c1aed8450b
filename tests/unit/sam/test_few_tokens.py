from __future__ import annotations

import pytest
import torch
from torch import nn

from samplar.methods.lora import LoraLinear
from samplar.sam.decoder import Attention
from samplar.sam.few_tokens import affine_of, pays
from samplar.sam.guidance import Guidance
from samplar.sam.seeded import seeded_state
from samplar.sam.sites import LinearSite

WIDTH, HEADS, INNER, CELLS = 32, 4, 16, 60


def attention():
    made = Attention(WIDTH, HEADS, inner=INNER)
    made.load_state_dict(seeded_state(made.state_dict(), seed=3))
    return made


def rows(count, *, seed):
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(2, count, WIDTH, generator=chance).requires_grad_()


def given(kind):
    tokens, cells, place = rows(3, seed=1), rows(CELLS, seed=2), rows(CELLS, seed=4)
    asked = rows(3, seed=5)
    return (tokens, cells, place) if kind == "tokens read" else (cells, tokens, asked)


def with_low_rank(made):
    for part in ("q", "v"):
        site = LinearSite(part, {part: torch.arange(INNER)})
        layer = LoraLinear(getattr(made, f"{part}_proj"), site, [part], 2)
        torch.nn.init.normal_(layer.b[part], std=0.3, generator=torch.Generator().manual_seed(9))
        setattr(made, f"{part}_proj", layer)
    return made


@pytest.fixture
def plain_calls(monkeypatch):
    """Count the calls of the published form."""
    calls, plain = [], Attention.plain

    def counted(self, *words):
        calls.append(1)
        return plain(self, *words)

    monkeypatch.setattr(Attention, "plain", counted)
    return calls


@pytest.mark.parametrize("low_rank", [False, True])
@pytest.mark.parametrize("kind", ["tokens read", "cells read"])
def test_equals_the_published_form_with_its_gradients(kind, low_rank, plain_calls):
    made = with_low_rank(attention()) if low_rank else attention()
    q, k, v = given(kind)
    found = made(q, k, v)
    assert not plain_calls
    expected = made.plain(q, k, v)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    weigh = torch.randn(found.shape, generator=torch.Generator().manual_seed(7))
    wanted = [q, k, v, *made.parameters()]
    one, other = (torch.autograd.grad(x, wanted, weigh) for x in (found, expected))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("legacy", [False, True])
def test_guidance_is_heeded(legacy, plain_calls):
    made, (q, k, v) = attention(), given("tokens read")
    bias = 3 * torch.randn(2, CELLS, generator=torch.Generator().manual_seed(8))
    guidance = Guidance(bias, torch.zeros(2, WIDTH), legacy)
    found = made(q, k, v, guidance)
    assert not plain_calls
    torch.testing.assert_close(found, made.plain(q, k, v, guidance), rtol=1e-5, atol=1e-5)
    assert (found - made(q, k, v)).abs().max() > 1e-3


def test_where_nothing_is_saved_the_published_form_runs(plain_calls):
    made, tokens = attention(), rows(5, seed=1)
    made(tokens, tokens, tokens)
    assert len(plain_calls) == 1
    assert pays(9, 4096, heads=8, inner=128)
    assert not pays(16, 4096, heads=8, inner=128)  # as many columns either way
    assert not pays(5, 5, heads=8, inner=256)


def test_a_layer_of_another_kind_is_called_and_not_taken_apart(plain_calls):
    class Doubled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    made, (q, k, v) = attention(), given("tokens read")
    doubled = Doubled(WIDTH, INNER)
    doubled.load_state_dict(made.v_proj.state_dict())
    before = made(q, k, v)
    made.v_proj = doubled
    assert affine_of(doubled) is None
    assert (made(q, k, v) - before).abs().max() > 1e-3
    assert len(plain_calls) == 1


def test_a_hook_on_a_projection_is_called():
    made, (q, k, v) = attention(), given("tokens read")
    seen = []
    made.k_proj.register_forward_hook(lambda *_: seen.append(1))
    made(q, k, v)
    assert seen == [1]
