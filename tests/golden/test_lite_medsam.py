"""Our SAM against the published LiteMedSAM code, on the numbers kept in lite_medsam.safetensors."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from samplar.sam.cards import LITE_MEDSAM
from samplar.sam.model import Sam, SamShape
from samplar.sam.prompt import Prompts
from samplar.sam.seeded import seeded_state
from samplar.sam.tinyvit import TinyViTShape
from samplar.sam.weights import fetch_weights, load_sam

TOLERANCE = 1e-4
CASES = ("box", "points", "points_box", "box_mask", "none", "batch")


@pytest.fixture(scope="module")
def golden(recipe):
    return load_file(recipe.GOLDEN)


@pytest.fixture(scope="module")
def lite_medsam():
    fetch_weights("lite-medsam")
    return load_sam("lite-medsam")


@pytest.fixture(scope="module")
def small(recipe):
    sizes = recipe.SMALL
    encoder = TinyViTShape(
        widths=sizes["widths"],
        depths=sizes["depths"],
        heads=sizes["heads"],
        windows=sizes["windows"],
    )
    sam = Sam(SamShape(encoder=encoder, decoder_hidden=sizes["decoder_hidden"])).eval()
    sam.load_state_dict(seeded_state(sam.state_dict(), seed=sizes["seed"]))
    return sam


@pytest.fixture(scope="module")
def check(recipe, golden):
    """Run one case and compare every part that was kept of it."""
    embeddings = {}  # most cases share one image

    @torch.no_grad()
    def run(sam, prefix, name, size):
        case = recipe.cases(size)[name]
        key = sam, size, case["seeds"]
        if key not in embeddings:
            embeddings[key] = sam.encode(recipe.images_of(case, size))
        prompts = Prompts(**{field: value for field, value in case.items() if field != "seeds"})
        grid = tuple(embeddings[key].shape[-2:])
        sparse, _ = sam.prompt_encoder(prompts, image_size=(size, size), grid=grid)
        found = recipe.summary(embeddings[key], sparse, *sam.decode(embeddings[key], prompts))
        compare(golden, f"{prefix}.{name}", found)

    return run


def compare(golden, prefix, found):
    """Every part that was kept must agree; embeddings are kept for one case only."""
    wanted = {
        key.removeprefix(f"{prefix}."): value
        for key, value in golden.items()
        if key.startswith(f"{prefix}.")
    }
    assert wanted.keys() >= {"sparse", "logits", "iou", "moments"}
    for part, tensor in wanted.items():
        assert found[part].shape == tensor.shape, part
        difference = (found[part] - tensor).abs()
        assert (difference <= TOLERANCE).all(), f"{part}: {difference.max()}"


@pytest.mark.parametrize("size", [256, 128])
@pytest.mark.parametrize("name", CASES)
def test_a_small_model_with_made_up_weights_agrees(small, check, name, size):
    check(small, f"small{size}", name, size)


@pytest.mark.weights
@pytest.mark.parametrize("name", CASES)
def test_the_published_weights_agree(lite_medsam, check, name):
    check(lite_medsam, "real", name, 256)


@pytest.mark.weights
def test_the_published_model_has_the_stated_size(lite_medsam):
    count = sum(parameter.numel() for parameter in lite_medsam.parameters())
    assert count == LITE_MEDSAM.parameters == 9_791_300


def test_the_golden_values_are_not_degenerate(golden):
    for key, value in golden.items():
        if value.numel():
            assert torch.isfinite(value).all(), key
            assert value.std() > 1e-3, key
    assert golden["real.none.sparse"].shape == (1, 0, 256)
