"""Our ma-sam against the published code, on the numbers kept in ma_sam.safetensors.

Differences that the card tells of: adapters start at zero and nothing is dropped between the
factors of FacT, which is of training alone, and the published code is run here as it is used; only
the middle slice of a slab has labels, so the published loss, over all slices, is compared with ours
over all of them.
"""

from __future__ import annotations

import json
import re

import pytest
import torch
from golden_recipe import recipe_of
from safetensors import safe_open
from safetensors.torch import load_file

from samplar.methods.adapted import AdaptedSam
from samplar.methods.ma_sam import Config
from samplar.methods.registry import load_method
from samplar.sam.model import Sam, SamShape
from samplar.sam.vit import ViTShape
from samplar.training.losses import segmentation_loss

recipe = recipe_of("ma_sam")
GOLDEN = load_file(recipe.GOLDEN)
with safe_open(recipe.GOLDEN, "pt") as file:
    LAYOUT = json.loads(file.metadata()["layout"])

RENAMED = (
    (r"^([qv])_FacTs_0*(\d+)$", r"image_encoder.blocks.\2.attn.qkv.core.\1.weight"),
    (r"\.FacTu\.", rf".fact.{recipe.WIDTH}.down."),
    (r"\.FacTv\.", rf".fact.{recipe.WIDTH}.up."),
    (r"\.ImageEncoderViT\.blocks\.(\d+)\.Block\.adapter_(.+)_2\.", r".blocks.\1.between.\2."),
    (r"\.ImageEncoderViT\.blocks\.(\d+)\.Block\.adapter_", r".blocks.\1.before."),
    (r"\.linear_(down|up)\.", r".\1."),
    (r"\.conv\.", ".across."),
    (r"^mask_decoder\.mask_tokens\.", "mask_decoder.pixels.tokens."),
    (r"^mask_decoder\.output_upscaling\.", "mask_decoder.pixels.upscaling."),
    (r"^mask_decoder\.output_hypernetworks_mlps\.", "mask_decoder.pixels.networks."),
    (r"^mask_decoder\.iou_prediction_head\.", "mask_decoder.pixels.quality."),
)
"""What our parts are called in the published checkpoint."""


def our_name(name):
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def our_shape(tensor):
    """A kernel over three slices is our matrix: before, this one, after, side by side."""
    return tensor.flatten(2).transpose(1, 2).flatten(1) if tensor.ndim == 5 else tensor


@pytest.fixture(scope="module")
def model():
    shape = ViTShape(
        width=recipe.WIDTH,
        depth=recipe.DEPTH,
        heads=recipe.HEADS,
        global_blocks=recipe.GLOBAL,
        window=recipe.WINDOW,
        grid=recipe.BASE_SIZE // 16,
        output=recipe.OUTPUT,
    )
    sam = Sam(SamShape(encoder=shape, decoder_hidden=recipe.HIDDEN, image_size=recipe.BASE_SIZE))
    base = recipe.base_state(sam.state_dict())
    sam.load_state_dict(base)
    config = Config(start="random", rank=recipe.RANK, neighbours=recipe.SLICES // 2)
    made = AdaptedSam(sam, load_method("ma-sam"), config, recipe.CLASSES)
    theirs = recipe.adapter_state(LAYOUT, base[recipe.FIXED])
    del theirs[recipe.FIXED]
    state = {our_name(name): our_shape(tensor) for name, tensor in theirs.items()}
    made.load_adapter_state(state, path="made up")
    return made


def near(found, name, tolerance):
    torch.testing.assert_close(found, GOLDEN[name], rtol=0, atol=tolerance)


def thin(tokens):
    return tokens[:, ::2, ::2, :: recipe.THIN]


@torch.no_grad()
def test_query_key_and_value_with_fact(model):
    layer = model.sam.get_submodule("image_encoder.blocks.0.attn.qkv")
    given = recipe.tokens()[:3]
    near(thin(layer(given)), "qkv", 1e-5)
    assert (thin(layer.base(given)) - GOLDEN["qkv"]).abs().max() > 0.1


@torch.no_grad()
def test_both_adapters_and_the_block_they_are_in(model):
    block, given = model.sam.image_encoder.blocks[0], recipe.tokens()
    first = block.before(given)
    near(thin(first), "before", 1e-5)
    near(thin(block.between(first + block.attn(block.norm1(first)))), "between", 1e-5)
    near(thin(block(given.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)), "block", 1e-5)


@pytest.fixture(scope="module")
def whole(model):
    """Of both slabs: the embedding of every slice, the logits, and the loss as published."""
    images = recipe.slabs().flatten(1, 2)
    seen = []
    hook = model.sam.image_encoder.neck.register_forward_hook(lambda *a: seen.append(a[-1]))
    logits = model(model.prefix(images), images, every=True)
    hook.remove()
    return seen[0], logits, segmentation_loss(logits, recipe.labels(), model.loss)


def test_the_whole_from_slabs_to_logits_of_every_pixel(whole):
    embedding, logits, loss = whole
    near(embedding[:, ::3], "embedding", 1e-4)
    assert logits.shape[-2:] == (recipe.SIZE, recipe.SIZE)
    near(logits[..., :: recipe.STEP, :: recipe.STEP], "logits", 1e-4)
    near(torch.stack([logits.mean(), logits.std(), logits.abs().max()]), "moments", 1e-4)
    near(loss[None], "loss", 1e-6)


@torch.no_grad()
def test_in_training_the_middle_slice_is_the_published_one(model):
    images = recipe.slabs().flatten(1, 2)
    found = model(model.prefix(images), images)[..., :: recipe.STEP, :: recipe.STEP]
    middle = GOLDEN["logits"][recipe.SLICES // 2 :: recipe.SLICES]
    torch.testing.assert_close(found, middle, rtol=0, atol=1e-4)


def test_the_way_back(model, whole):
    trained = model.trained()
    wanted = [trained[our_name(name)] for name in recipe.GRADIENTS]
    for name, found in zip(recipe.GRADIENTS, torch.autograd.grad(whole[-1], wanted), strict=True):
        expected = GOLDEN[f"gradient.{name}"]
        assert found.shape == expected.shape, name
        assert (found - expected).norm() < 1e-3 * expected.norm(), name


def test_the_golden_values_are_not_degenerate():
    for key, value in GOLDEN.items():
        assert torch.isfinite(value).all(), key
        assert value.abs().max() > (5e-5 if "gradient" in key else 0.1), key
    slices = GOLDEN["logits"].unflatten(0, (recipe.SLABS, recipe.SLICES))
    assert (slices[:, 1:] - slices[:, :-1]).abs().amax(dim=(2, 3, 4)).min() > 0.01
