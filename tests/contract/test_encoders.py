"""A method that needs one kind of image encoder says so in its card, and refuses the others."""

from __future__ import annotations

import pytest

from samplar.api.methods import list_methods
from samplar.errors import UsageError
from samplar.methods.adapted import AdaptedSam
from samplar.methods.fitting import check_encoder
from samplar.methods.registry import cards, load_method
from samplar.sam.seeded import digest_of
from samplar.sam.weights import WEIGHTS, load_sam

CARDS = cards()
CHOOSY = [name for name, card in CARDS.items() if card.encoder]
FAMILIES = {card.architecture: name for name, card in WEIGHTS.items() if card.bundle is None}


def test_there_are_such_methods_and_they_name_a_kind_that_there_is():
    assert "sam-unet" in CHOOSY
    assert {CARDS[name].encoder for name in CHOOSY} <= set(FAMILIES)
    assert set(FAMILIES) == {card.architecture for card in WEIGHTS.values()}


@pytest.mark.parametrize("name", CHOOSY)
def test_other_encoders_are_refused_in_one_line_and_left_as_they_were(name):
    method = load_method(name)
    others = [base for family, base in FAMILIES.items() if not CARDS[name].fits(family)]
    assert others
    for base in others:
        sam = load_sam(base)
        before = digest_of(sam.state_dict())
        with pytest.raises(UsageError, match=f"{name} needs SAM's own image encoder") as caught:
            AdaptedSam(sam, method, method.config(), 2)
        assert caught.value.code == "methods.plain_vit"
        assert digest_of(sam.state_dict()) == before
        with pytest.raises(UsageError, match=f"{name} needs .*, and {base} is a TinyViT") as told:
            check_encoder(CARDS[name], WEIGHTS[base])
        assert told.value.code == "methods.plain_vit"


def test_they_have_no_count_on_such_weights():
    rows = {base: list_methods(weights=base) for base in FAMILIES.values()}
    for family, base in FAMILIES.items():
        without = {row["name"] for row in rows[base] if row["trainable_parameters"] is None}
        assert without == {name for name in CHOOSY if not CARDS[name].fits(family)}
