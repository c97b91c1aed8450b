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
from samplar.sam.weights import load_sam


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
            attention(torch.zeros(1, 8, 8, 24))
    assert {name for name, value in seen.items() if value.all()} == {part}
    assert {name for name, value in seen.items() if value.any()} == {part}
    assert seen[part].shape == (1, 3, 64, 8)


def test_a_vit_has_a_site_in_every_block_ordered_q_k_v():
    sam = load_sam("tiny-vit-sam")
    sites = encoder_attention(sam)
    assert [site.name for site in sites] == [
        f"image_encoder.blocks.{block}.attn.qkv" for block in range(4)
    ]
    for site in sites:
        assert sam.get_submodule(site.name).out_features == 96
        assert {part: rows.tolist() for part, rows in site.rows.items()} == {
            "q": list(range(32)),
            "k": list(range(32, 64)),
            "v": list(range(64, 96)),
        }


@pytest.mark.parametrize("part", "qkv")
def test_the_rows_of_a_part_are_what_a_vit_takes_for_it(part, monkeypatch):
    sam, seen = load_sam("tiny-vit-sam"), {}
    site = encoder_attention(sam)[1]
    attention = sam.get_submodule(site.name.removesuffix(".qkv"))

    def spy(qkv, rows, columns, **_):
        seen.update(zip("qkv", qkv, strict=True))
        return qkv[2]

    marked = torch.zeros(96)
    marked[site.rows[part]] = 1
    with torch.no_grad():
        attention.qkv.weight.zero_()
        attention.qkv.bias.copy_(marked)
        monkeypatch.setattr("samplar.sam.vit.attend", spy)
        attention(torch.zeros(1, 5, 5, 32))
    assert {name for name, value in seen.items() if value.all()} == {part}
    assert {name for name, value in seen.items() if value.any()} == {part}


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


@pytest.mark.parametrize(
    ("trained", "expected"),
    [
        ("image_encoder.patch_embed", 1),
        ("image_encoder.blocks.2.attn.qkv", 4),
        ("image_encoder.neck", 6),
        ("mask_decoder", 7),
    ],
)
def test_in_a_vit_the_pixel_statistics_are_a_step_of_the_prefix(trained, expected):
    sam = load_sam("tiny-vit-sam").requires_grad_(False)
    sam.get_submodule(trained).requires_grad_(True)
    assert first_trained_step(sam) == expected


def test_trained_positions_leave_no_prefix_but_the_pixel_statistics():
    sam = load_sam("tiny-vit-sam").requires_grad_(False)
    sam.image_encoder.pos_embed.requires_grad_(True)
    assert first_trained_step(sam) == 1
