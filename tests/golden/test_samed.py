"""Our SAMed and SAMed_s against the published code, on the numbers kept in samed.safetensors."""

from __future__ import annotations

import json

import pytest
import torch
from golden_recipe import recipe_of
from safetensors import safe_open
from safetensors.torch import load_file

from samplar.config.base import build
from samplar.export.samed_layout import from_samed, to_samed
from samplar.methods.adapted import AdaptedSam
from samplar.methods.registry import load_method
from samplar.sam.model import Sam, SamShape
from samplar.sam.vit import ViTShape
from samplar.training.losses import segmentation_loss

TOLERANCE = 1e-4
SIZES = (224, 512)
NAMES = ("samed", "samed-s")

BLOCK = "image_encoder.blocks.{}.attn.qkv.{}.{}"
OURS = {
    "w_a_000": BLOCK.format(0, "a", "q"),
    "w_b_001": BLOCK.format(0, "b", "v"),
    "w_b_004": BLOCK.format(2, "b", "q"),
    "w_a_005": BLOCK.format(2, "a", "v"),
}
"""Where the published names with a kept gradient are in our model."""


@pytest.fixture(scope="module")
def recipe():
    return recipe_of("samed")


@pytest.fixture(scope="module")
def golden(recipe):
    return load_file(recipe.GOLDEN)


@pytest.fixture(scope="module")
def layouts(recipe):
    with safe_open(recipe.GOLDEN, "pt") as file:
        return {name: json.loads(text) for name, text in file.metadata().items()}


@pytest.fixture(scope="module")
def built(recipe):
    """Return a maker of our model with the made-up base weights and the made-up checkpoint."""

    def make(name):
        encoder = ViTShape(
            width=recipe.WIDTH,
            depth=recipe.DEPTH,
            heads=recipe.HEADS,
            global_blocks=recipe.GLOBAL,
            output=recipe.OUTPUT,
        )
        sam = Sam(SamShape(encoder=encoder, decoder_hidden=recipe.HIDDEN, image_size=1024))
        base = recipe.base_state(sam.state_dict())
        sam.load_state_dict(base)
        method = load_method(name)
        model = AdaptedSam(sam, method, build(method.config, {}), recipe.CLASSES)
        from_samed(model, recipe.adapter_state(to_samed(model), base), path="lora.pth")
        return model

    return make


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_the_published_code_computes_the_same(built, recipe, golden, name, size):
    model, images = built(name), recipe.images(size)
    logits = model(model.prefix(images), images)
    assert logits.shape == (2, recipe.CLASSES + 1, size // 4, size // 4)
    kept = {key.removeprefix(f"{name}.{size}."): t for key, t in golden.items()}
    assert (logits[..., :: recipe.STEP, :: recipe.STEP] - kept["logits"]).abs().max() < TOLERANCE
    moments = torch.stack([logits.mean(), logits.std(), logits.abs().max()])
    assert (moments - kept["moments"]).abs().max() < TOLERANCE

    loss = segmentation_loss(logits, recipe.labels(size), model.loss)
    assert (loss - kept["loss"][0]).abs() < 1e-6
    loss.backward()
    for key, ours in OURS.items():
        found, expected = model.trained()[ours].grad, kept[f"gradient.{key}"]
        assert found.shape == expected.shape
        assert (found - expected).norm() < 1e-3 * expected.norm(), key


@pytest.mark.parametrize("name", NAMES)
def test_the_file_has_the_published_names_and_shapes(built, layouts, name):
    found = {key: list(tensor.shape) for key, tensor in to_samed(built(name)).items()}
    assert found == layouts[name]


def test_the_golden_values_are_not_degenerate(golden, recipe):
    for key, value in golden.items():
        assert torch.isfinite(value).all(), key
        assert value.abs().max() > (1e-6 if "gradient" in key else 0.1), key
    for size in SIZES:
        base, small = (golden[f"{name}.{size}.logits"] for name in NAMES)
        assert (base - small).abs().max() > 0.1
