"""SAM with a ViT encoder against Hugging Face's `SamModel`, with the same random weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from reference_sam import decoded, reference_of

from samplar.sam.cards import TINY_VIT
from samplar.sam.model import Sam
from samplar.sam.prompt import Prompts
from samplar.sam.seeded import seeded_state

NATIVE = 64


def dice(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def sam() -> Sam:
    sam = Sam(TINY_VIT.shape).eval()
    sam.load_state_dict(seeded_state(sam.state_dict(), seed=11))
    return sam


def prompts_of(kind: str, size: int) -> Prompts:
    points = torch.tensor([[[0.3, 0.6], [0.8, 0.1]]]) * size
    labels = torch.tensor([[1, 0]])
    boxes = torch.tensor([[0.1, 0.2, 0.55, 0.9]]) * size
    masks = 8 * torch.rand(1, 1, size, size, generator=dice(5)) - 4  # the stride is 4: 4 x size / 4
    return {
        "none": Prompts(),
        "points": Prompts(points=points, labels=labels),
        "box": Prompts(boxes=boxes),
        "points and box": Prompts(points=points, labels=labels, boxes=boxes),
        "mask": Prompts(masks=masks),
        "box and mask": Prompts(boxes=boxes, masks=masks),
    }[kind]


@pytest.mark.parametrize("size", [NATIVE, 32, 60, 128, 16])
def test_the_encoder_at_the_size_it_was_made_for_and_at_others(sam, size):
    images = torch.rand(2, 3, size, size, generator=dice(size))
    with torch.no_grad():
        found = sam.encode(images)
        expected = reference_of(sam, size).vision_encoder(images).last_hidden_state
    assert expected.abs().max() > 1
    assert (found - expected).abs().max() <= 1e-5


@pytest.mark.parametrize("size", [(64, 48), (32, 80), (16, 4)])
def test_the_encoder_on_inputs_that_are_not_square(sam, size):
    images = torch.rand(1, 3, *size, generator=dice(1))
    vision = reference_of(sam, NATIVE).vision_encoder
    vision.patch_embed.image_size = size
    table = sam.image_encoder.pos_embed.permute(0, 3, 1, 2)
    table = torch.nn.functional.interpolate(table, (size[0] // 4, size[1] // 4), mode="bilinear")
    vision.pos_embed = torch.nn.Parameter(table.permute(0, 2, 3, 1))
    with torch.no_grad():
        found, expected = sam.encode(images), vision(images).last_hidden_state
    assert (found - expected).abs().max() <= 1e-5


@pytest.mark.parametrize("size", [NATIVE, 32])
@pytest.mark.parametrize(
    "kind", ["none", "points", "box", "points and box", "mask", "box and mask"]
)
def test_masks_and_their_quality(sam, kind, size):
    images = torch.rand(1, 3, size, size, generator=dice(2))
    prompts = prompts_of(kind, size)
    with torch.no_grad():
        embedding = sam.encode(images)
        masks, iou = sam.decode(embedding, prompts)
    expected_masks, expected_iou = decoded(reference_of(sam, size), embedding, prompts)
    assert masks.shape == expected_masks.shape == (1, 4, size, size)
    assert expected_masks.std() > 0.01
    assert (masks - expected_masks).abs().max() <= 1e-4
    assert (iou - expected_iou).abs().max() <= 1e-5


def test_windows_as_large_as_the_grid(sam):
    encoder = replace(TINY_VIT.shape.encoder, window=16)
    small = Sam(replace(TINY_VIT.shape, encoder=encoder)).eval()
    small.load_state_dict(seeded_state(small.state_dict(), seed=3))
    images = torch.rand(1, 3, NATIVE, NATIVE, generator=dice(4))
    with torch.no_grad():
        found = small.encode(images)
        expected = reference_of(small, NATIVE).vision_encoder(images).last_hidden_state
    assert (found - expected).abs().max() <= 1e-5
