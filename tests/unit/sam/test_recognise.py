from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from samplar.sam.cards import LITE_MEDSAM, TINY_VIT, WEIGHTS
from samplar.sam.model import empty_sam
from samplar.sam.recognise import shape_of
from samplar.sam.vit import VIT_B, VIT_H


@pytest.mark.parametrize("name", WEIGHTS)
def test_every_known_model_is_told_by_its_tensors(name):
    shape = WEIGHTS[name].shape
    found = shape_of(empty_sam(shape).state_dict())
    if name == "tiny":  # a TinyViT has no table that tells the size it was trained at
        found = replace(found, image_size=shape.image_size)
    assert found == shape


@pytest.mark.parametrize("grid", [7, 14, 32])
def test_a_vit_b_whose_tables_somebody_resized(grid):
    shape = replace(
        WEIGHTS["sam-vit-b"].shape, encoder=replace(VIT_B, grid=grid), image_size=16 * grid
    )
    assert shape_of(empty_sam(shape).state_dict()) == shape


def test_a_grid_of_one_window_leaves_the_depth_to_tell_the_blocks_apart():
    shape = replace(WEIGHTS["sam-vit-h"].shape, encoder=replace(VIT_H, grid=14), image_size=224)
    assert shape_of(empty_sam(shape).state_dict()) == shape


def test_more_mask_tokens_than_sam_has():
    shape = replace(LITE_MEDSAM.shape, mask_tokens=9)
    assert shape_of(empty_sam(shape).state_dict()) == shape


def test_tables_of_something_else():
    assert shape_of({}) is None
    assert shape_of({"w_a_000": torch.ones(4, 768), "w_b_000": torch.ones(768, 4)}) is None
    assert shape_of({"image_encoder.patch_embed.proj.weight": torch.ones(3)}) is None


@pytest.mark.parametrize("lost", ["neck.0.weight", "pos_embed", "blocks.0.attn.rel_pos_h"])
def test_a_vit_without_what_tells_its_sizes(lost):
    state = empty_sam(TINY_VIT.shape).state_dict()
    del state[f"image_encoder.{lost}"]
    assert shape_of(state) is None
