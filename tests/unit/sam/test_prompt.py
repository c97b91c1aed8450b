from __future__ import annotations

import math

import pytest
import torch

from samplar.sam.prompt import PositionEmbedding, Prompts
from samplar.sam.seeded import seeded_state


@pytest.fixture
def encoder(tiny_sam):
    return tiny_sam.prompt_encoder


def encode(encoder, prompts, *, image_size=(64, 48), grid=(16, 12)):
    with torch.no_grad():
        return encoder(prompts, image_size=image_size, grid=grid)


def place(encoder, x, y, size=(48, 64)):
    """The Fourier features of a pixel centre, written out."""
    matrix = encoder.pe_layer.positional_encoding_gaussian_matrix
    scaled = torch.tensor([2 * (x + 0.5) / size[0] - 1, 2 * (y + 0.5) / size[1] - 1])
    angle = 2 * math.pi * (scaled[0] * matrix[0] + scaled[1] * matrix[1])
    return torch.cat([torch.sin(angle), torch.cos(angle)])


def test_no_prompt_has_no_token_and_the_learnt_dense_map(encoder):
    sparse, dense = encode(encoder, Prompts())
    assert sparse.shape == (1, 0, 32)
    assert dense.shape == (1, 32, 16, 12)
    assert torch.equal(dense[0, :, 3, 5], encoder.no_mask_embed.weight[0])


def test_points_carry_place_and_kind_and_are_padded_with_a_non_point(encoder):
    points = torch.tensor([[[10.0, 20.0], [0.0, 0.0]]])
    sparse, _ = encode(encoder, Prompts(points=points, labels=torch.tensor([[1, 0]])))
    assert sparse.shape == (1, 3, 32)
    tables = [e.weight[0] for e in encoder.point_embeddings]
    torch.testing.assert_close(sparse[0, 0], place(encoder, 10, 20) + tables[1])
    torch.testing.assert_close(sparse[0, 1], place(encoder, 0, 0) + tables[0])
    assert torch.equal(sparse[0, 2], encoder.not_a_point_embed.weight[0])


def test_points_marked_as_none_forget_their_place(encoder):
    points = torch.tensor([[[10.0, 20.0]], [[30.0, 5.0]]])
    sparse, dense = encode(encoder, Prompts(points=points, labels=torch.tensor([[-1], [-1]])))
    assert sparse.shape == (2, 2, 32)
    assert dense.shape == (2, 32, 16, 12)
    assert (sparse == encoder.not_a_point_embed.weight[0]).all()


def test_a_box_is_its_two_corners(encoder):
    sparse, _ = encode(encoder, Prompts(boxes=torch.tensor([[3.0, 4.0, 40.0, 50.0]])))
    tables = [e.weight[0] for e in encoder.point_embeddings]
    torch.testing.assert_close(sparse[0, 0], place(encoder, 3, 4) + tables[2])
    torch.testing.assert_close(sparse[0, 1], place(encoder, 40, 50) + tables[3])


def test_points_beside_a_box_are_not_padded(encoder):
    prompts = Prompts(
        points=torch.tensor([[[10.0, 20.0]]]),
        labels=torch.tensor([[1]]),
        boxes=torch.tensor([[3.0, 4.0, 40.0, 50.0]]),
    )
    sparse, _ = encode(encoder, prompts)
    assert sparse.shape == (1, 3, 32)
    torch.testing.assert_close(
        sparse[0, 0], place(encoder, 10, 20) + encoder.point_embeddings[1].weight[0]
    )


def test_a_mask_is_brought_to_the_grid(encoder):
    masks = torch.randn(2, 1, 64, 48, generator=torch.Generator().manual_seed(0))
    sparse, dense = encode(encoder, Prompts(masks=masks))
    assert sparse.shape == (2, 0, 32)
    assert dense.shape == (2, 32, 16, 12)
    with torch.no_grad():
        assert torch.equal(dense, encoder.mask_downscaling(masks))


def test_counts_prompts():
    assert Prompts().count == 1
    assert Prompts(boxes=torch.zeros(5, 4)).count == 5
    assert Prompts(points=torch.zeros(3, 2, 2), labels=torch.zeros(3, 2).long()).count == 3


def test_the_grid_embeds_cell_centres():
    layer = PositionEmbedding(8)
    layer.load_state_dict(seeded_state(layer.state_dict(), seed=1))
    grid = layer.grid(4, 8)
    assert grid.shape == (1, 16, 4, 8)
    xy = torch.tensor([[(5 + 0.5) / 8, (2 + 0.5) / 4]])
    torch.testing.assert_close(grid[0, :, 2, 5], layer(xy)[0])
