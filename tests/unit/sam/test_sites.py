from __future__ import annotations

import pytest
import torch
from torch import nn

from samplar.errors import UsageError
from samplar.sam.sites import (
    DECODER_ATTENTIONS,
    decoder_attention,
    encoder_attention,
    first_trained_step,
    replace_module,
    select_blocks,
)


def test_the_encoder_has_one_site_per_attention_block_in_forward_order(tiny_sam):
    sites = encoder_attention(tiny_sam)
    assert [site.name for site in sites] == [
        f"image_encoder.layers.{level}.blocks.0.attn.qkv" for level in (1, 2, 3)
    ]
    for site in sites:
        layer = tiny_sam.get_submodule(site.name)
        assert isinstance(layer, nn.Linear)
        rows = torch.cat([site.rows[part] for part in "qkv"])
        assert rows.sort().values.tolist() == list(range(layer.out_features))


@pytest.mark.parametrize("part", "qkv")
def test_the_rows_of_a_part_are_what_the_attention_takes_for_it(tiny_sam, part):
    site = encoder_attention(tiny_sam)[1]  # three heads of 8
    attention = tiny_sam.get_submodule(site.name.removesuffix(".qkv"))
    seen = {}

    def spy(q, k, v, **_):
        seen.update(q=q, k=k, v=v)
        return v

    marked = torch.zeros(72)
    marked[site.rows[part]] = 1
    with torch.no_grad():
        attention.qkv.weight.zero_()
        attention.qkv.bias.copy_(marked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "scaled_dot_product_attention", spy)
        with torch.no_grad():
            attention(torch.zeros(1, 64, 24))
    assert {name for name, value in seen.items() if value.all()} == {part}
    assert {name for name, value in seen.items() if value.any()} == {part}
    assert seen[part].shape == (1, 3, 64, 8)


def test_the_decoder_has_seven_attentions_with_q_and_v(tiny_sam):
    sites = decoder_attention(tiny_sam)
    assert len(DECODER_ATTENTIONS) == 7
    assert len(sites) == 14
    for site in sites:
        layer = tiny_sam.get_submodule(site.name)
        ((part, rows),) = site.rows.items()
        assert site.name.endswith(f".{part}_proj")
        assert rows.tolist() == list(range(layer.out_features))


def test_chooses_blocks_by_word(tiny_sam):
    sites = encoder_attention(tiny_sam)
    assert select_blocks(sites, "all") == sites
    assert select_blocks(sites, "none") == []
    assert select_blocks(sites, "last:2") == sites[1:]
    assert select_blocks(sites, "last:3") == sites


@pytest.mark.parametrize("blocks", ["", "last", "last:", "last:0", "last:4", "last:-1", "first:2"])
def test_refuses_other_words(tiny_sam, blocks):
    with pytest.raises(UsageError, match="3 attention blocks") as caught:
        select_blocks(encoder_attention(tiny_sam), blocks)
    assert caught.value.code == "config.blocks"


def test_replaces_a_module_in_place(tiny_sam):
    new = nn.Linear(1, 1)
    replace_module(tiny_sam, "mask_decoder.transformer.layers.1.mlp.lin2", new)
    assert tiny_sam.mask_decoder.transformer.layers[1].mlp.lin2 is new
    replace_module(tiny_sam, "prompt_encoder", new)
    assert tiny_sam.prompt_encoder is new


@pytest.mark.parametrize(
    ("trained", "expected"),
    [
        ("image_encoder.patch_embed", 0),
        ("image_encoder.layers.1.blocks.0.attn.qkv", 3),
        ("image_encoder.neck", 8),
        ("mask_decoder", 9),
    ],
)
def test_the_frozen_prefix_ends_where_training_begins(tiny_sam, trained, expected):
    tiny_sam.requires_grad_(False)
    tiny_sam.get_submodule(trained).requires_grad_(True)
    assert first_trained_step(tiny_sam) == expected
