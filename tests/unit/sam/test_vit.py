from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from samplar.sam.cards import TINY_VIT, WEIGHTS
from samplar.sam.model import empty_sam
from samplar.sam.seeded import seeded_state
from samplar.sam.vit import VIT_B, VIT_H, VIT_L, Attention, Stem, ViT, ViTBlock
from samplar.sam.weights import load_sam

TABLES = ("rel_pos_h", "rel_pos_w")


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def encoder() -> ViT:
    return load_sam("tiny-vit-sam").image_encoder


@pytest.mark.parametrize(
    ("shape", "grid", "count"),
    [
        (VIT_B, 64, 89_670_912),
        (VIT_B, 32, 87_278_848),
        (VIT_B, 16, 86_672_640),
        (VIT_L, 64, 308_278_272),
        (VIT_H, 64, 637_026_048),
    ],
)
def test_the_published_encoders_have_the_published_sizes(shape, grid, count):
    with torch.device("meta"):
        encoder = ViT(replace(shape, grid=grid))
    assert sum(p.numel() for p in encoder.parameters()) == count


@pytest.mark.parametrize("name", ["sam-vit-b", "sam-vit-l", "sam-vit-h"])
def test_the_published_sams_run_at_512_without_numbers(name):
    sam = empty_sam(WEIGHTS[name].shape)
    encoder = WEIGHTS[name].shape.encoder
    x = torch.empty(1, 3, 512, 512, device="meta")
    *inner, (_, neck) = sam.steps()
    for _, step in inner:
        x = step(x)
        assert x.shape == (1, encoder.width, 32, 32)
    assert neck(x).shape == (1, 256, 32, 32)
    masks, iou = sam.decode(neck(x))
    assert (masks.shape, iou.shape) == ((1, 4, 128, 128), (1, 4))


def test_attention_by_hand():
    attention = Attention(8, 2, 3)
    for name in TABLES:
        nn.init.normal_(attention.get_parameter(name), generator=torch.Generator().manual_seed(1))
    x = randn(1, 3, 3, 8)
    qkv = attention.qkv(x[0].reshape(9, 8)).view(9, 3, 2, 4)  # q, k, v over all heads
    heads = []
    for head in range(2):
        q, k, v = (qkv[:, part, head] for part in range(3))
        scores = q @ k.T / 4**0.5
        for a in range(9):
            for b in range(9):
                rows = attention.rel_pos_h[a // 3 - b // 3 + 2]
                columns = attention.rel_pos_w[a % 3 - b % 3 + 2]
                scores[a, b] = scores[a, b] + q[a] @ rows + q[a] @ columns
        heads.append(scores.softmax(-1) @ v)
    expected = attention.proj(torch.cat(heads, dim=-1)).view(1, 3, 3, 8)
    torch.testing.assert_close(attention(x), expected, rtol=1e-5, atol=1e-5)


def test_windows_do_not_see_each_other_but_the_whole_grid_does():
    x = randn(1, 8, 8, 32)
    changed = x.clone()
    changed[:, 5:] += 1
    for everywhere in (False, True):
        block = ViTBlock(TINY_VIT.shape.encoder, everywhere=everywhere)
        with torch.no_grad():
            same = block.attn(x) == block.attn(changed)
        assert same[:, :5].all() == (not everywhere)
        assert not same[:, 5:].all()


def test_padding_takes_part_as_keys():
    """SAM was trained so: a window cut by the border also attends to the zeros beyond it."""
    block = ViTBlock(TINY_VIT.shape.encoder, everywhere=False)
    x = randn(1, 4, 4, 32)
    padded = torch.zeros(1, 5, 5, 32)
    padded[:, :4, :4] = x
    with torch.no_grad():
        expected = block.attn(padded)[:, :4, :4]
        torch.testing.assert_close(block.attn(x), expected)
        block.attn.window = 4
        assert not torch.allclose(block.attn(x), expected)


def test_positions_are_added_once_and_resized_to_the_grid(encoder):
    (_, stem), *_ = encoder.steps()
    assert isinstance(stem, Stem)
    image = torch.zeros(1, 3, 64, 64)
    with torch.no_grad():
        there = stem(image) - encoder.patch_embed(image)
        torch.testing.assert_close(there, encoder.pos_embed.permute(0, 3, 1, 2))
        half = stem(image[..., :32, :32]) - encoder.patch_embed(image[..., :32, :32])
    blocks = encoder.pos_embed.permute(0, 3, 1, 2).unflatten(2, (8, 2)).unflatten(4, (8, 2))
    torch.testing.assert_close(half, blocks.mean(dim=(3, 5)))  # bilinear at exactly half


def test_the_steps_hold_every_parameter_once_in_forward_order(encoder):
    steps = encoder.steps()
    assert [name for name, _ in steps] == [
        "patch_embed",
        *(f"blocks.{n}" for n in range(4)),
        "neck",
    ]
    held = [p for _, step in steps for p in step.parameters()]
    assert {id(p) for p in held} == {id(p) for p in encoder.parameters()}
    assert len(held) == len(list(encoder.parameters()))


@pytest.mark.parametrize("cut", range(6))
def test_running_the_steps_in_two_parts_is_the_whole_encoder(encoder, cut):
    x = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, part = encoder(x), x
        for _, step in encoder.steps()[:cut]:
            part = step(part)
        part = part.contiguous()  # as a cache gives it back
        for _, step in encoder.steps()[cut:]:
            part = step(part)
    torch.testing.assert_close(part, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (32, 64), (20, 12), (4, 4)])
def test_the_embedding_has_a_cell_per_patch(encoder, size):
    found = encoder(torch.rand(2, 3, *size))
    assert found.shape == (2, 32, size[0] // 4, size[1] // 4)
    assert found.isfinite().all()


@pytest.mark.parametrize("size", [(62, 64), (64, 30)])
def test_sides_that_are_no_multiples_of_the_patch_are_refused(encoder, size):
    with pytest.raises(ValueError, match="no multiples of 4"):
        encoder(torch.rand(1, 3, *size))


def test_one_image_does_not_depend_on_its_batch(encoder):
    x = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(encoder(x)[1:2], encoder(x[1:2]), rtol=0, atol=1e-5)


def test_half_precision_is_close(encoder):
    x = torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = encoder(x)
        with torch.autocast("cpu", torch.bfloat16):
            found = encoder(x).float()
    assert found.isfinite().all()
    assert (found - expected).abs().mean() < 0.02 * expected.std()


def test_gradients_reach_every_parameter_at_any_size():
    encoder = ViT(TINY_VIT.shape.encoder)
    encoder.load_state_dict(seeded_state(encoder.state_dict(), seed=1))
    encoder(torch.rand(1, 3, 48, 32)).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all()
        assert parameter.grad.any(), name
