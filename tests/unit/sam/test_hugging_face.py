from __future__ import annotations

import pytest
import torch
from reference_sam import reference_of
from transformers import SamConfig, SamModel

from samplar.sam.cards import MOBILE_SAM, SAM_VIT_B, TINY_VIT
from samplar.sam.hugging_face import (
    IMAGE_POSITIONS,
    POSITIONS,
    SHARED_POSITIONS,
    from_hugging_face,
    hugging_face_state,
    to_hugging_face,
)
from samplar.sam.model import empty_sam
from samplar.sam.seeded import seeded_state


def test_the_names_and_shapes_are_those_of_transformers_own_vit_b():
    ours = empty_sam(SAM_VIT_B.shape).state_dict()
    with torch.device("meta"):
        theirs = SamModel(SamConfig()).state_dict()
    renamed = {to_hugging_face(name): tensor.shape for name, tensor in ours.items()}
    expected = {name: tensor.shape for name, tensor in theirs.items()}
    del expected[IMAGE_POSITIONS]
    assert renamed == expected


@pytest.mark.parametrize("card", [SAM_VIT_B, TINY_VIT], ids=lambda card: card.name)
def test_renaming_there_and_back_is_nothing(card):
    for name in empty_sam(card.shape).state_dict():
        there = to_hugging_face(name)
        assert from_hugging_face(there) == name
        if name.startswith("image_encoder."):
            assert there.startswith("vision_encoder.")


def test_names_that_are_not_sams_stay_what_they_are():
    for name in ("optimizer.lr", "image.blocks.0.norm1.weight", ""):
        assert to_hugging_face(name) == from_hugging_face(name) == name


def test_both_position_matrices_have_one_published_name():
    assert from_hugging_face(SHARED_POSITIONS) == from_hugging_face(IMAGE_POSITIONS) == POSITIONS


def test_a_whole_table_loads_into_their_model():
    state = seeded_state(empty_sam(TINY_VIT.shape).state_dict(), seed=2)
    table = hugging_face_state(state)
    assert len(table) == len(state) + 1
    assert torch.equal(table[IMAGE_POSITIONS], state[POSITIONS])
    assert table[IMAGE_POSITIONS].data_ptr() != table[SHARED_POSITIONS].data_ptr()
    sam = empty_sam(TINY_VIT.shape)
    sam.load_state_dict(state, assign=True)
    theirs = reference_of(sam, 64).state_dict()
    assert theirs.keys() == table.keys()
    assert all(torch.equal(theirs[name], tensor) for name, tensor in table.items())


def test_only_encoders_that_transformers_has_can_go_there():
    names = empty_sam(MOBILE_SAM.shape).state_dict()
    assert "image_encoder.layers.1.blocks.0.attn.qkv.weight" in names
    assert "vision_encoder.layers.1.blocks.0.attn.qkv.weight" in map(to_hugging_face, names)
