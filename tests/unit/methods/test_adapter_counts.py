"""What the adapter methods train on SAM ViT-B: the numbers of the specification."""

from __future__ import annotations

import pytest

from samplar.config.base import build
from samplar.methods.registry import load_method
from samplar.sam.weights import countable_sam


def counts(name, **config):
    method, sam = load_method(name), countable_sam("sam-vit-b").requires_grad_(False)
    method.attach(sam, build(method.config, config), 1)
    trained = {n: p.numel() for n, p in sam.named_parameters() if p.requires_grad}
    places = (".added.", ".before.", ".between.", ".space.", ".depth.")
    added = sum(number for n, number in trained.items() if any(p in n for p in places))
    return sum(trained.values()), added


def parts_of(name, classes, parts):
    """Sum up what trains by the first of these pieces that a name has."""
    method, sam = load_method(name), countable_sam("sam-vit-b").requires_grad_(False)
    method.attach(sam, method.config(), classes)
    sums = dict.fromkeys(parts, 0)
    for key, p in sam.named_parameters():
        if p.requires_grad:
            sums[next(piece for piece in parts if piece in key)] += p.numel()
    return sums


@pytest.mark.parametrize(
    ("name", "config", "total", "adapters"),
    [
        ("med-sa", {}, 10_878_626, 7_100_928),
        ("med-sa", {"clicks": "oracle"}, 10_878_626, 7_100_928),
        ("med-sa", {"neighbours": 2}, 14_429_090, 10_651_392),
        ("sam-med2d", {}, 184_569_136, 180_504_576),
        ("ma-sam", {}, 28_666_678, 24_818_688),
        ("mas-sam", {}, 11_129_432, 1_208_064),
        ("mdsam", {}, 14_570_082, 7_151_616),
    ],
)
def test_what_trains_on_sam_vit_b(name, config, total, adapters):
    assert counts(name, **config) == (total, adapters)


@pytest.mark.parametrize(
    ("name", "classes", "parts"),
    [
        (
            "mas-sam",
            1,
            {
                ".added.": 1_208_064,
                ".qkv.": 147_456,
                "prompt_encoder.": 6_220,
                "progressive.": 5_989_480,
                "mask_decoder.": 3_778_212,
            },
        ),
        (
            "ma-sam",
            12,
            {
                ".before.": 12_409_344,
                ".between.": 12_409_344,
                ".core.": 24_576,
                ".fact.": 49_152,
                "prompt_encoder.": 6_220,
                "mask_decoder.": 5_243_725,
            },
        ),
        (
            "mdsam",
            1,
            {
                ".before.": 7_151_616,
                ".neck": 3_149_824,
                ".levels.": 526_848,
                ".coarse.": 140_064,
                ".deep.": 170_737,
                ".detail.": 65_521,
                "mask_decoder.": 3_365_472,
            },
        ),
    ],
)
def test_every_part_counts_what_the_specification_says(name, classes, parts):
    assert parts_of(name, classes, parts) == parts
