"""Counts and file sizes of SAMed's table and readme, on SAM's own shapes."""

from __future__ import annotations

import io

import pytest
import torch

from samplar.config.base import build
from samplar.export.samed_layout import to_samed
from samplar.methods.adapted import AdaptedSam
from samplar.methods.lora import LoraLinear
from samplar.methods.registry import load_method
from samplar.sam.model import Sam, SamShape
from samplar.sam.vit import VIT_B, VIT_H

ORGANS = 8


def published(name, shape=VIT_B, *, classes=ORGANS, **config):
    """Put a method on a SAM of this shape whose weights are whatever memory holds."""
    with torch.device("meta"):
        sam = Sam(SamShape(encoder=shape, image_size=1024))
    method = load_method(name)
    config = build(method.config, {"head_init": "random", **config})
    return AdaptedSam(sam.to_empty(device="cpu"), method, config, classes)


def count(parameters):
    return sum(parameter.numel() for parameter in parameters)


def low_rank(model, part):
    layers = [m for m in model.sam.get_submodule(part).modules() if isinstance(m, LoraLinear)]
    return count(p for layer in layers for table in (layer.a, layer.b) for p in table.values())


@pytest.mark.parametrize(
    ("name", "shape", "total", "encoder", "decoder"),
    [
        ("samed", VIT_B, 4_913_621, 147_456, 0),
        ("samed-s", VIT_B, 1_645_909, 147_456, 23_552),
        ("cheap-lunch", VIT_B, 1_645_909, 147_456, 23_552),
        ("samed-h", VIT_H, 5_421_525, 655_360, 0),
    ],
)
def test_what_trains_is_counted_as_published(name, shape, total, encoder, decoder):
    model = published(name, shape)
    assert count(model.trained().values()) == total
    assert low_rank(model, "image_encoder") == encoder
    assert low_rank(model, "mask_decoder") == decoder
    prompts = [p for n, p in model.trained().items() if n.startswith("prompt_encoder.")]
    assert count(prompts) == 6_220


@pytest.mark.parametrize(("classes", "total"), [(1, 663_662), (3, 944_304)])
def test_fewer_classes_train_fewer_numbers(classes, total):
    assert count(published("samed-s", classes=classes).trained().values()) == total


@pytest.mark.parametrize(("name", "mebibytes"), [("samed", 18.80), ("samed-s", 6.318)])
def test_the_file_is_as_large_as_the_published_one(name, mebibytes):
    file = io.BytesIO()
    torch.save(to_samed(published(name)), file)
    assert file.tell() / 2**20 == pytest.approx(mebibytes, rel=0.01)


def test_our_own_adapter_is_within_a_hundredth_of_it():
    state = published("samed-s").adapter_state()
    size = sum(tensor.numel() * 4 for tensor in state.values())
    assert size / 2**20 == pytest.approx(6.318, rel=0.01)
