from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from samplar.errors import UsageError
from samplar.methods.adapted import AdaptedSam
from samplar.methods.contract import attach_nothing
from samplar.methods.original import Original
from samplar.methods.registry import load_method
from samplar.sam.seeded import digest_of
from samplar.sam.sites import replace_module

CLASSES = 2


def put(sam, attach):
    """Put a method on that does what it likes."""
    method = replace(load_method("decoder-only"), attach=attach)
    return AdaptedSam(sam, method, method.config(), CLASSES)


class Doubled(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return 2 * self.inner(x)


def change_everything(sam, config, classes):
    """What methods do to a SAM: thaw, replace tensors and modules, add parts, hooks and values."""
    decoder = sam.mask_decoder
    decoder.iou_token.requires_grad_(True)
    decoder.mask_tokens.weight = nn.Parameter(torch.ones(3, 32))
    decoder.extra = nn.Parameter(torch.zeros(2))
    decoder.width = 7
    sam.register_buffer("table", torch.ones(1))
    replace_module(sam, "image_encoder.neck.1", nn.Identity())
    replace_module(sam, "image_encoder.patch_embed", Doubled(sam.image_encoder.patch_embed))
    decoder.output_upscaling.append(nn.ReLU())
    sam.prompt_encoder.register_forward_hook(lambda *given: None)


def test_whatever_a_method_did_is_undone(tiny_sam):
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    before = digest_of(tiny_sam.state_dict())
    flags = {name: p.requires_grad for name, p in tiny_sam.named_parameters()}
    names = [name for name, _ in tiny_sam.named_modules()]
    with torch.no_grad():
        expected = tiny_sam.decode(tiny_sam.encode(image))[0]
    model = put(tiny_sam, change_everything)
    with torch.no_grad():
        for parameter in model.trained().values():
            parameter.add_(1.0)
    model.sam.mask_decoder.iou_token.weight.sum().backward()
    base = model.detach()
    assert base is tiny_sam
    assert digest_of(base.state_dict()) == before
    assert {name: p.requires_grad for name, p in base.named_parameters()} == flags
    assert all(p.grad is None for p in base.parameters())
    assert [name for name, _ in base.named_modules()] == names
    assert base.mask_decoder.width == 32
    assert not base.prompt_encoder._forward_hooks
    with torch.no_grad():
        assert torch.equal(base.decode(base.encode(image))[0], expected)


def test_only_what_trains_in_place_is_copied(tiny_sam):
    weight = tiny_sam.mask_decoder.iou_token.weight
    model = put(tiny_sam, change_everything)
    ((original, kept),) = model._original._trained
    assert original is weight
    assert torch.equal(kept, weight)
    assert kept.data_ptr() != weight.data_ptr()


def test_a_copy_of_a_model_gives_back_a_sam_of_its_own(tiny_sam):
    before = digest_of(tiny_sam.state_dict())
    model = put(tiny_sam, change_everything)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin.sam.mask_decoder.iou_token.weight.add_(1.0)
    base = twin.detach()
    assert base is not model.sam
    assert digest_of(base.state_dict()) == before
    assert model.sam.mask_decoder.width == 7
    assert digest_of(model.detach().state_dict()) == before


def test_a_detached_model_is_of_no_use_and_its_sam_is(tiny_sam):
    model = put(tiny_sam, change_everything)
    base = model.detach()
    with pytest.raises(AttributeError):
        model.prefix(torch.zeros(1, 3, 32, 32))
    again = put(base, change_everything)
    assert set(again.trained()) == {
        "mask_decoder.iou_token.weight",
        "mask_decoder.mask_tokens.weight",
        "mask_decoder.extra",
    }


def test_a_second_method_is_refused_and_changes_nothing(tiny_sam):
    model = put(tiny_sam, attach_nothing)
    before = digest_of(tiny_sam.state_dict())
    with pytest.raises(
        UsageError, match="cannot be put on a SAM that has decoder-only on it"
    ) as caught:
        put(model.sam, change_everything)
    assert caught.value.code == "methods.attached"
    assert digest_of(tiny_sam.state_dict()) == before


def test_a_sam_is_as_it_was_when_attaching_fails(tiny_sam):
    before = digest_of(tiny_sam.state_dict())

    def attach(sam, config, classes):
        change_everything(sam, config, classes)
        raise UsageError("no", fix="none", code="config.blocks")

    with pytest.raises(UsageError, match="no"):
        put(tiny_sam, attach)
    assert digest_of(tiny_sam.state_dict()) == before
    assert all(p.requires_grad for p in tiny_sam.parameters())
    put(tiny_sam, attach_nothing)


def test_writing_into_the_tensors_of_sam_while_attaching_is_refused(tiny_sam):
    def attach(sam, config, classes):
        with torch.no_grad():
            sam.mask_decoder.iou_token.weight.zero_()

    with pytest.raises(UsageError, match=r"SAM's own mask_decoder\.iou_token\.weight") as caught:
        put(tiny_sam, attach)
    assert caught.value.code == "methods.writes"


def test_structure_alone_costs_no_memory(tiny_sam):
    original = Original(tiny_sam)
    original.keep_trained(tiny_sam.requires_grad_(False))
    assert original._trained == []
