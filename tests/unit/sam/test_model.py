from __future__ import annotations

import pytest

from samplar.errors import UsageError
from samplar.sam.cards import WEIGHTS
from samplar.sam.model import empty_sam
from samplar.sam.weights import load_sam


def test_the_size_the_weights_were_made_for_needs_no_remark():
    for card in WEIGHTS.values():
        assert empty_sam(card.shape).check_size(card.image_size) is None


def test_another_size_is_remarked_once_for_encoders_with_position_tables():
    sam = empty_sam(WEIGHTS["sam-vit-b"].shape)
    assert sam.check_size(512) == (
        "the encoder's position tables, made for 64 x 64 cells, are resized to 32 x 32"
    )
    assert load_sam("tiny").check_size(128) is None


@pytest.mark.parametrize(("size", "fix"), [(1000, "Use 992 or 1008"), (8, "Use 16 or 32")])
def test_a_size_that_cannot_be_cut_into_cells_is_refused(size, fix):
    with pytest.raises(UsageError) as caught:
        empty_sam(WEIGHTS["sam-vit-b"].shape).check_size(size)
    assert caught.value.code == "config.size"
    assert f"size = {size}" in caught.value.problem
    assert "multiple of 16" in caught.value.problem
    assert caught.value.fix == fix
