from __future__ import annotations

import pytest
import torch

from samplar.export.position_tables import at_size
from samplar.sam.model import Sam
from samplar.sam.weights import load_sam


@torch.no_grad()
@pytest.mark.parametrize("size", [20, 48, 64, 100])
def test_a_sam_built_with_the_resized_tables_computes_the_same(size):
    sam = load_sam("tiny-vit-sam")  # tables for 64 pixels, 16 cells
    state, shape = at_size(sam.state_dict(), sam.shape, size)
    assert shape.image_size == size
    assert shape.encoder.grid == size // 4
    built = Sam(shape, sam.pixels.rule).eval()
    built.load_state_dict(state)
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(built.encode(images), sam.encode(images), rtol=0, atol=1e-6)


def test_only_the_tables_of_the_whole_grid_change():
    sam = load_sam("tiny-vit-sam")
    before = sam.state_dict()
    state, _ = at_size(before, sam.shape, 48)
    changed = {name: tuple(state[name].shape) for name in before if state[name] is not before[name]}
    assert changed == {
        "image_encoder.pos_embed": (1, 12, 12, 32),
        **{
            f"image_encoder.blocks.{block}.attn.rel_pos_{axis}": (23, 16)
            for block in (1, 3)
            for axis in "hw"
        },
    }


@pytest.mark.parametrize(("weights", "size"), [("tiny-vit-sam", 64), ("tiny", 48)])
def test_nothing_is_resized_that_fits_or_has_no_tables(weights, size):
    sam = load_sam(weights)
    before = sam.state_dict()
    state, shape = at_size(before, sam.shape, size)
    assert all(state[name] is tensor for name, tensor in before.items())
    assert shape.encoder == sam.shape.encoder
    assert shape.image_size == size
