"""What goes on must come off: every method detaches and merges exactly, and goes on but once."""

from __future__ import annotations

import copy

import pytest
import torch
from quick_methods import QUICK

from samplar.config.base import build
from samplar.errors import UsageError
from samplar.methods.adapted import AdaptedSam
from samplar.methods.contract import Batch
from samplar.methods.lora import LoraLinear
from samplar.methods.registry import cards, load_method
from samplar.sam.model import Sam
from samplar.sam.seeded import digest_of

CARDS = cards()
WITH_PARTS = {
    "autosam-decoder",
    "autosam-prompt",
    "ma-sam",
    "mas-sam",
    "mdsam",
    "med-sa",
    "sam-med2d",
    "sam-unet",
    "samaug",
    "samplar",
    "wsi-sam",
}
ADDS_PARTS = [
    name for name, card in CARDS.items() if name in WITH_PARTS or card.plugs_in == "instead of SAM"
]
"""They add modules that no plain SAM has, and cannot be merged into one."""


def put(sam, name, **config):
    method = load_method(name)
    return AdaptedSam(sam, method, build(method.config, QUICK.get(name, {}) | config), 2)


@pytest.mark.parametrize("name", CARDS)
def test_a_second_method_is_refused(name, adapted):
    model = adapted(name)
    before = digest_of(model.sam.state_dict())
    for other in CARDS:
        with pytest.raises(UsageError, match=f"{other} .* that has {name} on it") as caught:
            put(model.sam, other)
        assert caught.value.code == "methods.attached"
    assert digest_of(model.sam.state_dict()) == before


@pytest.mark.parametrize("name", CARDS)
def test_detaching_restores_sam_bit_for_bit(name, adapted, phantoms, taught, tiny_sam):
    expected = digest_of(tiny_sam.state_dict())
    for classes in (2, 3):  # with 3 the head has the shapes of SAM's own
        samples = phantoms(classes=classes)
        sam = taught(adapted(name, classes=classes), samples, lr=1e-2).detach()
        assert type(sam) is Sam
        assert list(sam.state_dict()) == list(tiny_sam.state_dict())
        assert digest_of(sam.state_dict()) == expected
        with torch.no_grad():
            found = sam.decode(sam.encode(samples.images))
            before = tiny_sam.decode(tiny_sam.encode(samples.images))
        assert all(torch.equal(*pair) for pair in zip(found, before, strict=True))


WORN: dict[str, Sam] = {}


@pytest.fixture
def worn(base, adapted, phantoms, taught):
    """Return a SAM that had a trained method on it; trained once for each base."""
    if base not in WORN:
        WORN[base] = taught(adapted("samed"), phantoms(), lr=1e-2).detach()
    return copy.deepcopy(WORN[base])


@pytest.mark.parametrize("name", CARDS)
def test_a_detached_sam_takes_any_method_as_a_new_one_does(name, worn, adapted, phantoms, taught):
    samples, config = phantoms(), adapted(name).config.model_dump()
    states = []
    for sam in (worn, adapted("zero-shot").detach()):
        torch.manual_seed(0)
        states.append(digest_of(taught(put(sam, name, **config), samples).adapter_state()))
    assert states[0] == states[1]


@pytest.mark.parametrize("name", [name for name in CARDS if name in ADDS_PARTS])
def test_what_no_plain_sam_can_hold_is_not_merged(name, adapted):
    model = adapted(name)
    before = digest_of(model.sam.state_dict())
    with pytest.raises(UsageError, match=f"{name} changes what SAM is made of") as caught:
        model.merge()
    assert caught.value.code == "methods.merge"
    assert digest_of(model.sam.state_dict()) == before


@pytest.mark.parametrize("name", [name for name in CARDS if name not in ADDS_PARTS])
@torch.no_grad()
def test_a_merged_sam_is_plain_and_computes_the_same(name, adapted, phantoms, taught):
    samples, others = phantoms(), phantoms(seed=1)
    with torch.enable_grad():
        model = taught(adapted(name), samples, lr=1e-2)
    before = digest_of(model.sam.state_dict())
    plain = model.merge()
    assert digest_of(model.sam.state_dict()) == before
    assert not any(isinstance(module, LoraLinear) for module in plain.modules())
    assert set(Sam(plain.shape).state_dict()) == set(plain.state_dict())
    batch = Batch(others.images, plain.encode(others.images), others.labels, model.classes)
    found = model.method.logits(plain, model.config, batch, model.memory)
    expected = model(model.prefix(others.images), others.images, others.labels)
    tolerance = 1e-5 * max(1.0, expected.abs().max().item())
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", CARDS)
def test_only_what_trains_in_place_is_kept_twice(name, adapted, tiny_sam):
    model = adapted(name)
    trained, base = model.trained(), tiny_sam.state_dict()
    in_place = sum(
        p.numel() for key, p in trained.items() if key in base and base[key].shape == p.shape
    )
    kept = sum(copy.numel() for _, copy in model._original._trained)
    assert kept <= in_place
