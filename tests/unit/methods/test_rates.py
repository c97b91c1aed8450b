from __future__ import annotations

from dataclasses import replace

import pytest

from samplar.errors import UsageError
from samplar.methods.adapted import AdaptedSam
from samplar.methods.registry import load_method
from samplar.sam.seeded import digest_of

PART = "mask_decoder.iou_token.weight"


def put(sam, rates):
    method = replace(load_method("decoder-only"), rates=rates)
    return AdaptedSam(sam, method, method.config(), 2)


def test_everything_learns_alike_unless_the_method_says_otherwise(tiny_sam):
    model = put(tiny_sam, None)
    assert model.rates == dict.fromkeys(model.trained(), 1.0)
    model = put(model.detach(), lambda sam, config: {PART: 3})
    assert model.rates == {**dict.fromkeys(model.trained(), 1.0), PART: 3.0}


@pytest.mark.parametrize(
    ("name", "rate", "told"),
    [
        ("image_encoder.neck.0.weight", 0.5, "neck.0.weight .* 0.5, which does not train"),
        ("image_encoder.nek", 0.5, "image_encoder.nek .* which does not train"),
        (PART, 0.0, "relative learning rate 0.0, which must be above 0"),
        (PART, -1.0, "must be above 0"),
        (PART, float("nan"), "must be above 0"),
        (PART, float("inf"), "must be above 0"),
    ],
)
def test_rates_that_cannot_be_are_refused_and_sam_is_as_it_was(tiny_sam, name, rate, told):
    before = digest_of(tiny_sam.state_dict())
    with pytest.raises(UsageError, match=told) as caught:
        put(tiny_sam, lambda sam, config: {name: rate})
    assert caught.value.code == "methods.rates"
    assert digest_of(tiny_sam.state_dict()) == before
    put(tiny_sam, None)
