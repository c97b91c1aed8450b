"""Our autosam-decoder against the published code, on the numbers kept in autosam.safetensors.

Differences that the card tells of: quality tokens are SAM's or drawn from a seed, and cells are
told where they are by SAM's matrix, while the published head draws both. Here ours are given the
published quality tokens and matrix.
"""

from __future__ import annotations

import json

import pytest
import torch
import torch.nn.functional as F
from golden_recipe import recipe_of
from safetensors import safe_open
from safetensors.torch import load_file

from samplar.methods.adapted import AdaptedSam
from samplar.methods.autosam_decoder import Config
from samplar.methods.class_cnn import ClassCnn
from samplar.methods.class_tokens import ClassTokens, decode_apart
from samplar.methods.registry import load_method
from samplar.sam.decoder import MaskDecoder
from samplar.sam.model import Sam, SamShape
from samplar.sam.prompt import PositionEmbedding
from samplar.sam.vit import ViTShape
from samplar.training.foreground_loss import foreground_loss

recipe = recipe_of("autosam")
GOLDEN = load_file(recipe.GOLDEN)
with safe_open(recipe.GOLDEN, "pt") as file:
    LAYOUTS = json.loads(file.metadata()["layouts"])

HEADS = {"decoder": "transformer", "cnn": "cnn"}
FIRST = {"input_block": 0, "blocks": 4, "final": 8}
"""Where the parts of the published convolutional head begin in ours."""


def published(name):
    return recipe.weights(LAYOUTS[name])


def under(state, prefix):
    return {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}


def layer_of(name):
    """Return our name in the convolutional head."""
    part, number, rest = name.split(".", 2)
    return f"{FIRST[part] + int(number)}.{rest}"


def our_name(head, name):
    """Return what `name` in the published head is called in our model."""
    if head == "cnn":
        return f"mask_decoder.class_cnn.{layer_of(name)}"
    return "mask_decoder." + name.replace("mask_tokens.weight", "class_tokens.masks")


def as_ours(tensor, ours):
    """Two mask tokens of each class come one after the other in the published table."""
    return tensor.unflatten(0, (-1, 2)) if ours.endswith("class_tokens.masks") else tensor


def model_of(head):
    """Return our model with the published weights in it; all that trains must be given."""
    theirs, sizes = published(head), recipe.ENCODERS[head]
    shape = ViTShape(
        width=recipe.WIDTH,
        depth=2,
        heads=recipe.HEADS,
        global_blocks=sizes["global_blocks"],
        window=sizes["window"],
        patch=sizes["patch"],
        grid=sizes["size"] // sizes["patch"],
        output=sizes["output"],
    )
    sam = Sam(SamShape(encoder=shape, decoder_hidden=recipe.HIDDEN, image_size=sizes["size"]))
    sam.image_encoder.load_state_dict(under(theirs, "image_encoder."))
    config = Config(head=HEADS[head], head_init="random", pixels="unit")
    model = AdaptedSam(sam, load_method("autosam-decoder"), config, recipe.CLASSES[head] - 1)
    parts = under(theirs, "mask_decoder.")
    trained = [name for name in parts if not name.startswith("iou_")]  # as published
    names = {name: our_name(head, name) for name in trained}
    state = {ours: as_ours(parts[name], ours) for name, ours in names.items()}
    model.load_adapter_state(state, path="made up")
    if head == "decoder":
        sam.mask_decoder.class_tokens.quality.copy_(theirs["mask_decoder.iou_token.weight"])
        sam.prompt_encoder.pe_layer.load_state_dict(under(theirs, "pe_layer."))
    return model


def near(found, name, tolerance):
    torch.testing.assert_close(found, GOLDEN[name], rtol=0, atol=tolerance)


@torch.no_grad()
def test_the_decoder_alone_asks_about_each_class_with_its_own_tokens():
    theirs, classes = published("decoder.alone"), recipe.CLASSES["alone"]
    decoder = MaskDecoder(recipe.WIDTH, mask_tokens=2, hidden=recipe.HIDDEN)
    state = under(theirs, "mask_decoder.")
    quality, masks = state.pop("iou_token.weight"), state.pop("mask_tokens.weight")
    own = ("iou_token.weight", "mask_tokens.weight")  # of a plain SAM, which are not used
    decoder.load_state_dict(state | {name: decoder.state_dict()[name] for name in own})
    tokens = ClassTokens(classes, recipe.WIDTH, own_quality=True)
    tokens.masks.copy_(masks.unflatten(0, (classes, 2)))
    tokens.quality.copy_(quality)
    decoder.add_module("class_tokens", tokens)
    place = PositionEmbedding(recipe.WIDTH // 2)
    place.load_state_dict(under(theirs, "pe_layer."))
    found = decode_apart(decoder, recipe.embedding(), place.grid(*recipe.GRID))
    near(found, "decoder.alone", 1e-5)


@torch.no_grad()
def test_the_convolutional_head_alone():
    head = ClassCnn(recipe.WIDTH, recipe.CLASSES["alone"])
    head.load_state_dict({layer_of(n): t for n, t in published("cnn.alone").items()})
    near(head(recipe.embedding()), "cnn.alone", 1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_the_whole_from_image_to_logits_and_the_way_back(head):
    model, images = model_of(head), recipe.images(head)
    logits = model(model.prefix(images), images)
    # Published, the network itself brings its maps to the size of the image.
    logits = F.interpolate(logits, images.shape[-2:], mode="bilinear", align_corners=False)
    near(logits[..., :: recipe.STEP, :: recipe.STEP], f"{head}.logits", 1e-4)
    moments = torch.stack([logits.mean(), logits.std(), logits.abs().max()])
    near(moments, f"{head}.moments", 1e-4)
    loss = foreground_loss(logits, recipe.labels(head), model.loss)
    near(loss[None], f"{head}.loss", 1e-6)
    loss.backward()
    trained = model.trained()
    for name in recipe.GRADIENTS[head]:
        ours, expected = our_name(head, name), GOLDEN[f"{head}.gradient.{name}"]
        expected = as_ours(expected, ours)
        assert trained[ours].grad.shape == expected.shape, name
        assert (trained[ours].grad - expected).norm() < 1e-3 * expected.norm(), name


def test_the_golden_values_are_not_degenerate():
    for key, value in GOLDEN.items():
        assert torch.isfinite(value).all(), key
        assert value.abs().max() > (5e-5 if "gradient" in key else 0.1), key
    for key in ("decoder.alone", "cnn.alone", "cnn.logits"):
        one, two = GOLDEN[key]
        assert (one - two).abs().max() > 0.1, key
        assert (one[1:] - one[:-1]).abs().amax(dim=(1, 2)).min() > 0.1, key
