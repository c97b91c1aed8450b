from __future__ import annotations

import pytest
import torch

from samplar.sam.decoder import Attention, MaskDecoder
from samplar.sam.model import Sam, SamShape
from samplar.sam.prompt import PromptEncoder, Prompts
from samplar.sam.seeded import seeded_state

BOXES = torch.tensor([[2.0, 3.0, 20.0, 25.0], [10.0, 1.0, 60.0, 40.0], [0.0, 0.0, 63.0, 63.0]])


def embedding(count, *, seed=0, grid=(16, 16)):
    return torch.randn(count, 32, *grid, generator=torch.Generator().manual_seed(seed))


def same(found, expected):
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_masks_are_four_times_finer_than_the_embedding(tiny_sam):
    masks, quality = tiny_sam.decode(embedding(2, grid=(8, 12)))
    assert masks.shape == (2, 4, 32, 48)
    assert quality.shape == (2, 4)


@torch.no_grad()
def test_one_prompt_serves_every_image(tiny_sam):
    images, box = embedding(3), Prompts(boxes=BOXES[:1])
    singles = [tiny_sam.decode(images[i : i + 1], box) for i in range(3)]
    same(tiny_sam.decode(images, box), [torch.cat(parts) for parts in zip(*singles, strict=True)])


@torch.no_grad()
def test_one_image_serves_every_prompt(tiny_sam):
    image = embedding(1)
    singles = [tiny_sam.decode(image, Prompts(boxes=BOXES[i : i + 1])) for i in range(3)]
    whole = tiny_sam.decode(image, Prompts(boxes=BOXES))
    same(whole, [torch.cat(parts) for parts in zip(*singles, strict=True)])
    assert (whole[0][0] - whole[0][1]).abs().max() > 1e-3


@torch.no_grad()
def test_as_many_prompts_as_images_go_in_pairs(tiny_sam):
    images = embedding(3)
    singles = [
        tiny_sam.decode(images[i : i + 1], Prompts(boxes=BOXES[i : i + 1])) for i in range(3)
    ]
    same(
        tiny_sam.decode(images, Prompts(boxes=BOXES)),
        [torch.cat(parts) for parts in zip(*singles, strict=True)],
    )


@torch.no_grad()
def test_attention_by_hand():
    attention = Attention(16, 4, inner=8)
    attention.load_state_dict(seeded_state(attention.state_dict(), seed=2))
    q, k, v = (torch.randn(2, n, 16, generator=torch.Generator().manual_seed(n)) for n in (3, 5, 5))
    heads = []
    for head in range(4):
        rows = slice(2 * head, 2 * head + 2)
        parts = [
            x @ layer.weight[rows].T + layer.bias[rows]
            for x, layer in (
                (q, attention.q_proj),
                (k, attention.k_proj),
                (v, attention.v_proj),
            )
        ]
        scores = parts[0] @ parts[1].transpose(1, 2) / 2**0.5
        heads.append(scores.softmax(-1) @ parts[2])
    expected = attention.out_proj(torch.cat(heads, dim=-1))
    torch.testing.assert_close(attention(q, k, v), expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_each_mask_belongs_to_its_own_token_and_network(tiny_sam):
    before, _ = tiny_sam.decode(embedding(1))
    last = tiny_sam.mask_decoder.output_hypernetworks_mlps[2].layers[-1]
    last.weight.zero_()
    last.bias.zero_()
    after, _ = tiny_sam.decode(embedding(1))
    assert not after[:, 2].any()
    kept = [0, 1, 3]
    assert torch.equal(after[:, kept], before[:, kept])


@torch.no_grad()
def test_new_mask_tokens_change_the_number_of_masks(tiny_sam):
    tiny_sam.mask_decoder.set_mask_tokens(7)
    masks, quality = tiny_sam.decode(embedding(1))
    assert (masks.shape[1], quality.shape[1]) == (7, 7)


@pytest.mark.parametrize(
    ("tokens", "whole", "outside"),
    # 8 organs and background, counted from the module that SAMed published
    [(9, 4_759_945, 1_468_681)],
)
def test_sizes_are_those_of_the_published_decoder(tokens, whole, outside):
    decoder = MaskDecoder(256, mask_tokens=tokens)
    total = sum(p.numel() for p in decoder.parameters())
    inside = sum(p.numel() for p in decoder.transformer.parameters())
    assert (total, total - inside) == (whole, outside)
    assert sum(p.numel() for p in PromptEncoder(256).parameters()) == 6_220


def test_a_sam_of_the_default_shape_has_litemedsams_size():
    assert sum(p.numel() for p in Sam(SamShape()).parameters()) == 9_791_300
