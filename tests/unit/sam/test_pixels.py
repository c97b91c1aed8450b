from __future__ import annotations

import pytest
import torch

from samplar.sam.model import Sam, empty_sam
from samplar.sam.pixels import SAM_PIXELS, UNIT, PixelScale
from samplar.sam.weights import load_sam


def test_sams_own_statistics_are_those_of_0_to_255():
    for fraction, of_255 in zip(SAM_PIXELS.mean, (123.675, 116.28, 103.53), strict=True):
        assert fraction * 255 == pytest.approx(of_255, abs=1e-9)
    for fraction, of_255 in zip(SAM_PIXELS.std, (58.395, 57.12, 57.375), strict=True):
        assert fraction * 255 == pytest.approx(of_255, abs=1e-9)


def test_each_channel_has_its_own_mean_and_deviation():
    image = torch.tensor(SAM_PIXELS.mean).view(1, 3, 1, 1).repeat(2, 1, 4, 5)
    scale = PixelScale(SAM_PIXELS)
    assert not scale(image).any()
    brighter = scale(image + torch.tensor(SAM_PIXELS.std).view(1, 3, 1, 1))
    torch.testing.assert_close(brighter, torch.ones(2, 3, 4, 5))
    assert scale.state_dict() == {}


def test_the_rule_is_a_step_of_sam_only_where_it_changes_anything():
    sam = load_sam("tiny-vit-sam")
    names = [name for name, _ in sam.steps()]
    assert names[:2] == ["pixels", "image_encoder.patch_embed"]
    sam.pixels = PixelScale(UNIT)
    assert [name for name, _ in sam.steps()] == names[1:]
    for name, step in sam.steps()[1:]:
        assert sam.get_submodule(name) is step


def test_encoding_applies_the_rule():
    sam = load_sam("tiny-vit-sam")
    plain = Sam(sam.shape).eval()
    plain.load_state_dict(sam.state_dict())
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(sam.encode(image), plain.encode(PixelScale(SAM_PIXELS)(image)))
        assert not torch.allclose(sam.encode(image), plain.encode(image))


def test_a_model_without_numbers_still_has_its_rule():
    scale = empty_sam(load_sam("tiny-vit-sam").shape, SAM_PIXELS).pixels
    torch.testing.assert_close(scale.mean.flatten(), torch.tensor(SAM_PIXELS.mean))
