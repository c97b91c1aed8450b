from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from samplar.methods.lora import LoraLinear, add_lora, remove_lora
from samplar.sam.model import Sam, SamShape
from samplar.sam.sites import decoder_attention, encoder_attention

RANK = 3


def fill(sam, seed=0):
    """Give every up-projection values, as training would."""
    chance = torch.Generator().manual_seed(seed)
    for module in sam.modules():
        if isinstance(module, LoraLinear):
            for up in module.b.values():
                nn.init.normal_(up, generator=chance)
    return sam


def attended(block, x):
    """What q, k and v of each head are, (part, head, tokens, width), by TinyViT's own cutting."""
    out = block.attn.qkv(block.attn.norm(x))
    return out.view(*x.shape[:-1], block.attn.heads, 3, -1).movedim(-2, 0)


@torch.no_grad()
def test_q_and_v_of_every_head_change_as_written_and_k_does_not(tiny_sam):
    block = tiny_sam.image_encoder.layers[2].blocks[0]  # three heads of 8
    x = torch.randn(2, 64, 24, generator=torch.Generator().manual_seed(1))
    before = attended(block, x)
    add_lora(tiny_sam, encoder_attention(tiny_sam), parts=("q", "v"), rank=RANK)
    assert torch.equal(attended(block, x), before)
    fill(tiny_sam)
    after = attended(block, x)
    assert torch.equal(after[1], before[1])
    lora, normed = block.attn.qkv, block.attn.norm(x)
    for number, part in ((0, "q"), (2, "v")):
        update = normed @ lora.a[part].T @ lora.b[part].T  # head after head, as SAMed has it
        expected = before[number] + update.view(2, 64, 3, 8)
        torch.testing.assert_close(after[number], expected, rtol=1e-4, atol=1e-4)
        assert (after[number] - before[number]).abs().amin() > 0


@torch.no_grad()
def test_separate_projections_get_the_low_rank_product(tiny_sam):
    base = copy.deepcopy(tiny_sam)
    sites = decoder_attention(tiny_sam)
    add_lora(tiny_sam, sites, parts=("q", "v"), rank=RANK)
    fill(tiny_sam)
    for site in sites:
        layer, plain = tiny_sam.get_submodule(site.name), base.get_submodule(site.name)
        ((part, _),) = site.rows.items()
        x = torch.randn(4, plain.in_features, generator=torch.Generator().manual_seed(2))
        weight = plain.weight + layer.b[part] @ layer.a[part]
        torch.testing.assert_close(
            layer(x), x @ weight.T + plain.bias, rtol=1e-4, atol=1e-4, msg=site.name
        )


@torch.no_grad()
def test_the_stacked_pair_is_the_sum_of_the_parts(tiny_sam):
    site = encoder_attention(tiny_sam)[1]
    add_lora(tiny_sam, [site], parts=("q", "v"), rank=RANK)
    layer = fill(tiny_sam).get_submodule(site.name)
    down, up = layer.stacked()
    assert (down.shape, up.shape) == ((2 * RANK, 24), (72, 2 * RANK))
    assert torch.equal(up[site.rows["q"], :RANK], layer.b["q"])
    assert torch.equal(up[site.rows["v"], RANK:], layer.b["v"])
    assert not up[site.rows["k"]].any()
    assert not up[site.rows["q"], RANK:].any()


def test_starts_with_a_kaiming_uniform_and_zeros(tiny_sam):
    torch.manual_seed(0)
    add_lora(tiny_sam, encoder_attention(tiny_sam), parts=("q", "v"), rank=64)
    layer = tiny_sam.image_encoder.layers[3].blocks[0].attn.qkv
    bound = 1 / 32**0.5  # sqrt(6 / ((1 + 5) fan_in))
    for part in ("q", "v"):
        assert not layer.b[part].any()
        assert 0.95 * bound < layer.a[part].abs().max() <= bound
        assert layer.a[part].std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


def test_only_the_low_rank_tensors_are_new(tiny_sam):
    tiny_sam.requires_grad_(False)
    before = set(tiny_sam.state_dict())
    add_lora(tiny_sam, encoder_attention(tiny_sam), parts=("q", "v"), rank=RANK)
    new = {n.replace(".base.", ".") for n in tiny_sam.state_dict()} - before
    trained = {n for n, p in tiny_sam.named_parameters() if p.requires_grad}
    assert new == trained
    assert len(new) == 3 * 4


def test_attaching_twice_is_refused(tiny_sam):
    sites = encoder_attention(tiny_sam)
    add_lora(tiny_sam, sites, parts=("q", "v"), rank=RANK)
    with pytest.raises(TypeError, match="already adapted"):
        add_lora(tiny_sam, sites, parts=("q", "v"), rank=RANK)


@torch.no_grad()
def test_merging_and_removing(tiny_sam):
    base = copy.deepcopy(tiny_sam)
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    sites = [*encoder_attention(tiny_sam), *decoder_attention(tiny_sam)]
    add_lora(tiny_sam, sites, parts=("q", "v"), rank=RANK)
    fill(tiny_sam)
    adapted = tiny_sam.decode(tiny_sam.encode(image))[0]
    plain = copy.deepcopy(tiny_sam)
    remove_lora(plain, merge=True)
    merged = plain.decode(plain.encode(image))[0]
    torch.testing.assert_close(merged, adapted, rtol=0, atol=1e-5 * adapted.abs().max().item())
    assert set(plain.state_dict()) == set(base.state_dict())
    remove_lora(tiny_sam, merge=False)
    state = tiny_sam.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in base.state_dict().items())
    assert (adapted - base.decode(base.encode(image))[0]).abs().max() > 1e-3


def test_counts_are_those_of_the_published_decoder():
    sam = Sam(SamShape())
    add_lora(sam, decoder_attention(sam), parts=("q", "v"), rank=4)
    layers = [m for m in sam.modules() if isinstance(m, LoraLinear)]
    low_rank = [p for m in layers for table in (m.a, m.b) for p in table.values()]
    assert sum(p.numel() for p in low_rank) == 23_552
