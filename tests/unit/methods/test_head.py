from __future__ import annotations

import copy

import pytest
import torch

from samplar.methods.head import set_class_tokens, train_decoder


@torch.no_grad()
def test_classes_start_from_the_published_single_mask_a_little_apart(tiny_sam):
    base = copy.deepcopy(tiny_sam.mask_decoder)
    torch.manual_seed(0)
    set_class_tokens(tiny_sam, 5, init="sam")
    decoder = tiny_sam.mask_decoder
    tokens = decoder.mask_tokens.weight
    assert tokens.shape == (6, 32)
    apart = (tokens - base.mask_tokens.weight[0]).std() / base.mask_tokens.weight.std()
    assert 0.35 < apart < 0.65
    assert len(tokens.unique(dim=0)) == 6
    networks = decoder.output_hypernetworks_mlps
    assert len(networks) == 6
    expected = base.output_hypernetworks_mlps[0].state_dict()
    for network in networks:
        assert all(torch.equal(network.state_dict()[n], t) for n, t in expected.items())
    pointers = {p.data_ptr() for network in networks for p in network.parameters()}
    assert len(pointers) == 6 * len(expected)


@torch.no_grad()
def test_a_random_start_keeps_nothing_of_the_published_head(tiny_sam):
    base = copy.deepcopy(tiny_sam.mask_decoder)
    torch.manual_seed(0)
    set_class_tokens(tiny_sam, 3, init="random")  # as many tokens as in SAM
    decoder = tiny_sam.mask_decoder
    state = decoder.state_dict()
    changed = {n for n, t in base.state_dict().items() if not torch.equal(t, state[n])}
    new = ("mask_tokens.", "output_hypernetworks_mlps.", "iou_prediction_head.")
    assert changed == {n for n in state if n.startswith(new)}


@pytest.mark.parametrize("init", ["sam", "random"])
@pytest.mark.parametrize("classes", [1, 9])
def test_one_mask_per_class_and_background(tiny_sam, init, classes):
    set_class_tokens(tiny_sam, classes, init=init)
    assert not any(p.requires_grad for p in tiny_sam.mask_decoder.iou_prediction_head.parameters())
    masks, quality = tiny_sam.decode(torch.zeros(2, 32, 8, 8))
    assert masks.shape == (2, classes + 1, 32, 32)
    assert quality.shape == (2, classes + 1)


@pytest.mark.parametrize("transformer", [True, False])
def test_what_trains(tiny_sam, transformer):
    set_class_tokens(tiny_sam, 2, init="random")
    tiny_sam.requires_grad_(False)
    train_decoder(tiny_sam, transformer=transformer)
    found = {n for n, p in tiny_sam.named_parameters() if p.requires_grad}
    expected = {
        n
        for n, _ in tiny_sam.named_parameters()
        if n.startswith("mask_decoder.")
        and not n.startswith("mask_decoder.iou_prediction_head.")
        and (transformer or not n.startswith("mask_decoder.transformer."))
    } | {"prompt_encoder.no_mask_embed.weight"}
    assert found == expected


@pytest.mark.parametrize("transformer", [True, False])
def test_with_the_idle_parts_all_of_prompt_encoder_and_decoder_is_declared(tiny_sam, transformer):
    set_class_tokens(tiny_sam, 2, init="random")
    tiny_sam.requires_grad_(False)
    train_decoder(tiny_sam, transformer=transformer, idle=True)
    found = {n for n, p in tiny_sam.named_parameters() if p.requires_grad}
    assert found == {
        n
        for n, _ in tiny_sam.named_parameters()
        if n.startswith(("mask_decoder.", "prompt_encoder."))
        and (transformer or not n.startswith("mask_decoder.transformer."))
    }
