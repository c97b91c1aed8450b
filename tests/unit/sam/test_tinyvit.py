from __future__ import annotations

import pytest
import torch
from torch import nn

from samplar.sam.cards import TINY
from samplar.sam.tinyvit import (
    Attention,
    Layer,
    TinyViTBlock,
    TinyViTShape,
    offset_index,
)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_offsets_are_numbered_by_distance_in_order_of_appearance():
    # cells of a 2 x 2 window: itself 0, across 1, down 2, diagonal 3
    assert offset_index(2).tolist() == [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]
    index = offset_index(7)
    assert torch.equal(index, index.T)
    assert int(index.max()) + 1 == 49


def test_attention_by_hand():
    attention = Attention(8, 2, 2)
    nn.init.normal_(attention.attention_biases, generator=torch.Generator().manual_seed(0))
    x = randn(3, 4, 8)
    bias = attention.attention_biases
    index = offset_index(2)
    normed = attention.norm(x)
    heads = []
    for head in range(2):
        # per head: 4 rows of q, 4 of k, 4 of v
        weight = attention.qkv.weight[12 * head : 12 * (head + 1)]
        offset = attention.qkv.bias[12 * head : 12 * (head + 1)]
        q, k, v = (normed @ weight.T + offset).split(4, dim=-1)
        scores = q @ k.transpose(1, 2) / 4**0.5 + bias[head][index]
        heads.append(scores.softmax(-1) @ v)
    expected = attention.proj(torch.cat(heads, dim=-1))
    found = attention(x.view(3, 2, 2, 8)).flatten(1, 2)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_a_window_at_the_border_also_attends_to_zeros_before_the_norm():
    attention = Attention(8, 2, 3)
    nn.init.normal_(attention.norm.bias, generator=torch.Generator().manual_seed(1))
    x, padded = randn(1, 4, 5, 8), torch.zeros(1, 6, 6, 8)
    padded[:, :4, :5] = x
    torch.testing.assert_close(attention(x), attention(padded)[:, :4, :5])


def test_windows_do_not_see_each_other_before_the_convolution():
    block = TinyViTBlock(8, 2, 4)
    x = randn(1, 8, 8, 8)
    changed = x.clone()
    changed[:, 4:] += 1
    with torch.no_grad():
        same = block.attn(x) == block.attn(changed)
    assert same[:, :4].all()
    assert not same[:, 4:].all()


@pytest.mark.parametrize("cut", range(10))
def test_running_the_steps_in_two_parts_is_the_whole_encoder(tiny_sam, cut):
    encoder, x = tiny_sam.image_encoder, torch.rand(1, 3, 32, 48)
    with torch.no_grad():
        expected, part = encoder(x), x
        for _, step in encoder.steps()[:cut]:
            part = step(part)
        for _, step in encoder.steps()[cut:]:
            part = step(part)
    assert torch.equal(part, expected)


def test_the_steps_hold_every_parameter_once_under_its_published_name(tiny_sam):
    encoder = tiny_sam.image_encoder
    for name, step in encoder.steps():
        assert encoder.get_submodule(name) is step
    held = [p for _, step in encoder.steps() for p in step.parameters()]
    assert len(held) == len({id(p) for p in held}) == len(list(encoder.parameters()))


def contiguous_after(module, inputs, output):
    return output.contiguous() if isinstance(output, torch.Tensor) else output


def test_memory_layout_does_not_change_the_result(tiny_sam):
    encoder, x = tiny_sam.image_encoder, torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = encoder(x.contiguous(memory_format=torch.channels_last))
        hooks = [m.register_forward_hook(contiguous_after) for m in encoder.modules()]
        plain = encoder(x)
        for hook in hooks:
            hook.remove()
    assert plain.is_contiguous()
    torch.testing.assert_close(plain, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(16, 16), (32, 64), (20, 12)])
def test_the_embedding_has_a_cell_per_stride(tiny_sam, size):
    assert tiny_sam.stride == TINY.shape.encoder.stride == 4
    found = tiny_sam.encode(torch.rand(1, 3, *size))
    assert found.shape == (1, 32, size[0] // 4, size[1] // 4)


def test_strides_of_the_two_families():
    assert (TinyViTShape().patch_stride, TinyViTShape().stride) == (1, 4)
    mobile = TinyViTShape(patch_kernel=3, strides=(2, 2, 1))
    assert (mobile.patch_stride, mobile.stride) == (4, 16)


def test_a_layer_without_merging_has_only_its_blocks():
    assert [name for name, _ in Layer([nn.Identity()], None).steps()] == ["blocks.0"]
    assert [name for name, _ in Layer([nn.Identity()], nn.Identity()).steps()] == [
        "blocks.0",
        "downsample",
    ]


def test_attention_is_the_same_written_out_for_training_as_fused(tiny_sam):
    attention = next(m for m in tiny_sam.image_encoder.modules() if isinstance(m, Attention))
    x = randn(3, 7, 9, attention.proj.out_features)
    written = attention(x)
    assert written.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(written.detach(), attention(x), rtol=1e-5, atol=1e-6)
