from __future__ import annotations

import pytest
import torch
from torch import nn

from samplar.errors import UsageError
from samplar.methods.lora import LoraLinear, add_lora
from samplar.methods.merge import parts_of, plain_copy
from samplar.sam.model import Sam
from samplar.sam.sites import decoder_attention, encoder_attention


@pytest.fixture
def base_parts(tiny_sam):
    return parts_of(tiny_sam)


def adapt(sam, *, tokens=5):
    sam.mask_decoder.set_mask_tokens(tokens)
    sites = [*encoder_attention(sam), *decoder_attention(sam)]
    add_lora(sam, sites, parts=("q", "v"), rank=2)
    for module in sam.modules():
        if isinstance(module, LoraLinear):
            for up in module.b.values():
                nn.init.normal_(up)
    return sam


@torch.no_grad()
def test_the_copy_is_one_that_its_shape_builds(tiny_sam, base_parts):
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    adapted = adapt(tiny_sam)
    plain = plain_copy(adapted, base_parts, method="odd")
    assert plain.shape.mask_tokens == 5
    built = Sam(plain.shape).eval()
    built.load_state_dict(plain.state_dict())
    logits = built.decode(built.encode(image))[0]
    expected = adapted.decode(adapted.encode(image))[0]
    assert logits.shape[1] == 5
    tolerance = 1e-5 * expected.abs().max().item()
    torch.testing.assert_close(logits, expected, rtol=0, atol=tolerance)
    assert not any(p.requires_grad for p in plain.parameters())


@torch.no_grad()
def test_the_adapted_sam_is_left_alone(tiny_sam, base_parts):
    adapted = adapt(tiny_sam)
    before = {name: t.clone() for name, t in adapted.state_dict().items()}
    for parameter in plain_copy(adapted, base_parts, method="odd").parameters():
        parameter.zero_()
    after = adapted.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert adapted.shape.mask_tokens == 4


def test_folding_rounds_once(tiny_sam, base_parts):
    site = encoder_attention(tiny_sam)[0]
    add_lora(tiny_sam, [site], parts=("q", "v"), rank=2)
    layer = tiny_sam.get_submodule(site.name)
    for part in ("q", "v"):
        nn.init.normal_(layer.b[part])
    exact = layer.base.weight.double()
    for part in ("q", "v"):
        exact[site.rows[part]] += layer.b[part].double() @ layer.a[part].double()
    found = plain_copy(tiny_sam, base_parts, method="odd").get_parameter(f"{site.name}.weight")
    assert torch.equal(found, exact.float())


def test_parts_that_no_sam_has_are_named(tiny_sam, base_parts):
    tiny_sam.mask_decoder.gate = nn.Parameter(torch.zeros(1))
    with pytest.raises(UsageError, match=r"odd changes .* mask_decoder\.gate") as caught:
        plain_copy(tiny_sam, base_parts, method="odd")
    assert caught.value.code == "methods.merge"


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_parts_that_are_missing_or_of_another_kind_are_named(tiny_sam, base_parts, change):
    if change == "replaced":
        tiny_sam.image_encoder.neck[1] = nn.Identity()
    else:
        del tiny_sam.image_encoder.neck[1]
    with pytest.raises(UsageError, match=r"image_encoder\.neck\."):
        plain_copy(tiny_sam, base_parts, method="odd")
