from __future__ import annotations

import pytest
import torch

from samplar.sam.decoder import Attention, TwoWayTransformer
from samplar.sam.guidance import Guidance
from samplar.sam.prompt import Prompts
from samplar.sam.seeded import seeded_state

CELLS = 6


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def guidance(*, legacy, prompts=2, width=16):
    return Guidance(draw(prompts, CELLS, seed=7), draw(prompts, width, seed=8), legacy)


@pytest.fixture
def transformer():
    made = TwoWayTransformer(16, heads=4, hidden=32)
    made.load_state_dict(seeded_state(made.state_dict(), seed=3))
    return made.requires_grad_(False)


def test_shares_by_hand():
    scores = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    bias, target = torch.tensor([[1.0, 0.0]]), torch.zeros(1, 3)
    once = Guidance(bias, target).shares(scores)
    assert once.flatten().tolist() == pytest.approx([0.5, 0.5])
    # softmax(0, 1) = (0.26894, 0.73106); softmax(1.26894, 0.73106): sigmoid(0.53788) = 0.63132
    twice = Guidance(bias, target, legacy=True).shares(scores)
    assert twice.flatten().tolist() == pytest.approx([0.63132, 0.36868], abs=1e-5)


def test_every_head_and_token_of_a_prompt_gets_its_own_bias():
    bias = torch.tensor([[9.0, 0.0, 0.0], [0.0, 0.0, 9.0]])
    shares = Guidance(bias, torch.zeros(2, 4)).shares(torch.zeros(2, 5, 6, 3))
    assert (shares[0].argmax(-1) == 0).all()
    assert (shares[1].argmax(-1) == 2).all()
    assert shares.shape == (2, 5, 6, 3)


def test_an_even_bias_and_no_target_change_nothing(transformer):
    image, place, tokens = draw(2, CELLS, 16), draw(1, CELLS, 16, seed=1), draw(2, 5, 16, seed=2)
    even = Guidance(torch.full((2, CELLS), 0.7), torch.zeros(2, 16))
    for found, expected in zip(
        transformer(image, place, tokens, even), transformer(image, place, tokens), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("legacy", [False, True])
def test_where_target_and_bias_enter_written_out(transformer, legacy):
    """The blocks by hand: what is added where, as section 3.2 and the authors' code have it."""
    image, place, start = draw(2, CELLS, 16), draw(1, CELLS, 16, seed=1), draw(2, 5, 16, seed=2)
    given = guidance(legacy=legacy)
    t = given.target[:, None]
    own = start + t if legacy else start
    tokens, keys = start, image
    for number, block in enumerate(transformer.layers):
        tokens = tokens + t
        if number == 0:
            tokens = block.self_attn(tokens, tokens, tokens)
        else:
            tokens = tokens + block.self_attn(tokens + own, tokens + own, tokens)
        tokens = block.norm1(tokens)
        reading = block.cross_attn_token_to_image
        tokens = tokens + by_hand(reading, tokens + own, keys + place, keys, given)
        tokens = block.norm2(tokens)
        tokens = block.norm3(tokens + block.mlp(tokens))
        told = block.cross_attn_image_to_token(keys + place, tokens + own, tokens)
        keys = block.norm4(keys + told)
    last = transformer.final_attn_token_to_image(tokens + own + t, keys + place, keys)
    expected = transformer.norm_final_attn(tokens + last)
    found, image_out = transformer(image, place, start, given)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(image_out, keys, rtol=1e-5, atol=1e-5)


def by_hand(attention: Attention, q, k, v, given):
    """Attention head by head, with the bias before the softmax or between two."""
    wide = attention.q_proj.out_features // attention.heads
    heads = []
    for head in range(attention.heads):
        rows = slice(head * wide, (head + 1) * wide)
        query, key, value = (
            (x @ layer.weight[rows].T + layer.bias[rows])
            for x, layer in (
                (q, attention.q_proj),
                (k, attention.k_proj),
                (v, attention.v_proj),
            )
        )
        scores = query @ key.transpose(1, 2) / wide**0.5
        scores = scores.softmax(-1) if given.legacy else scores
        heads.append((scores + given.bias[:, None]).softmax(-1) @ value)
    return attention.out_proj(torch.cat(heads, dim=-1))


def test_sam_passes_guidance_on_prompt_by_prompt(tiny_sam):
    embedding = draw(1, 32, 8, 8)
    points = Prompts(points=draw(2, 1, 2).abs(), labels=torch.ones(2, 1, dtype=torch.long))
    given = Guidance(3 * draw(2, 64, seed=4), draw(2, 32, seed=5))
    with torch.no_grad():
        plain = tiny_sam.decode(embedding, points)[0]
        both = tiny_sam.decode(embedding, points, given)[0]
        second = tiny_sam.decode(
            embedding,
            Prompts(points=points.points[1:], labels=points.labels[1:]),
            Guidance(given.bias[1:], given.target[1:]),
        )[0]
    assert (both - plain).abs().amax((1, 2, 3)).min() > 1e-2
    torch.testing.assert_close(both[1:], second, rtol=1e-5, atol=1e-5)
