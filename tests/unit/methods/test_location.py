from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from samplar.methods.location import Prior, find_prior, standardised


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def units(count, width=8, seed=5):
    return F.normalize(draw(count, width, seed=seed), dim=1)


def test_similarity_is_the_cosine_whatever_the_length():
    embedding, targets = draw(8, 4, 4), units(2)
    prior = find_prior(7 * embedding, targets, size=16, content=(16, 16))
    for k in range(2):
        expected = F.cosine_similarity(embedding, targets[k].view(8, 1, 1), dim=0)
        torch.testing.assert_close(prior.cells[k], expected)
    assert prior.pixels.shape == (2, 16, 16)


@pytest.mark.parametrize("content", [(16, 16), (10, 16), (16, 7)])
@pytest.mark.parametrize("size", [16, 64])
def test_pixels_are_cropped_to_the_image_after_going_to_the_frame(content, size):
    embedding, targets = draw(8, 4, 4), units(1)
    height, width = (side * size // 16 for side in content)
    prior = find_prior(embedding, targets, size=size, content=(height, width))
    finer = F.interpolate(prior.cells[None], (16, 16), mode="bilinear", align_corners=False)
    whole = F.interpolate(finer, (size, size), mode="bilinear", align_corners=False)
    assert torch.equal(prior.pixels, whole[0, :, :height, :width])


@pytest.mark.parametrize("seed", range(20))
def test_points_are_the_first_extremes_in_x_y_order(seed):
    prior = find_prior(draw(8, 4, 4, seed=seed), units(2), size=16, content=(12, 16))
    for k, ((x, y), (u, v)) in enumerate(
        zip(prior.most().int().tolist(), prior.least().int().tolist(), strict=True)
    ):
        assert prior.pixels[k, y, x] == prior.pixels[k].max()
        assert prior.pixels[k, v, u] == prior.pixels[k].min()


def test_of_equals_the_first_is_pointed_at():
    pixels = torch.tensor([[[1.0, 3.0, 0.0], [3.0, 0.0, 1.0]]])
    prior = Prior(torch.zeros(1, 1, 1), pixels, 3)
    assert prior.most().tolist() == [[1, 0]]
    assert prior.least().tolist() == [[2, 0]]


def test_bf16_does_not_blur_the_place():
    embedding, targets = draw(8, 16, 16), units(1)
    plain = find_prior(embedding, targets, size=64, content=(64, 64))
    with torch.autocast("cpu", torch.bfloat16):
        inside = find_prior(embedding, targets, size=64, content=(64, 64))
    assert torch.equal(plain.cells, inside.cells)


def test_standardised_by_hand():
    maps = torch.tensor([[[1.0, 2.0, 3.0]], [[5.0, 5.0, 5.0]]])
    assert standardised(maps).tolist() == [[[-1.0, 0.0, 1.0]], [[0.0, 0.0, 0.0]]]
    assert standardised(torch.tensor([[[4.0]]])).tolist() == [[[0.0]]]
    assert standardised(torch.zeros(0, 2, 2)).shape == (0, 2, 2)


def test_the_nudge_lies_on_its_cells_and_not_in_the_padding():
    cells = torch.zeros(1, 4, 4)
    cells[0, 1] = torch.tensor([0.0, 1.0, 2.0, 9.0])
    prior = Prior(cells, torch.zeros(1, 16, 12), 16)  # three of four columns show the image
    nudge = prior.bias(legacy=False).view(4, 4)
    assert not nudge[:, 3].any()
    inside = cells[0, :, :3]
    expected = ((inside - inside.mean()) / inside.std()).sigmoid()
    torch.testing.assert_close(nudge[:, :3], expected)


def test_a_cell_with_a_little_of_the_image_is_not_padding():
    prior = Prior(draw(1, 4, 4), torch.zeros(1, 16, 9), 16)
    nudge = prior.bias(legacy=False).view(4, 4)
    assert nudge[:, :3].all()
    assert not nudge[:, 3].any()


def test_the_legacy_nudge_squeezes_the_image_into_the_grid():
    prior = find_prior(draw(8, 4, 4), units(2), size=16, content=(16, 8))
    assert prior.bias(legacy=False).shape == (2, 16)
    maps = prior.pixels
    for k in range(2):
        even = (maps[k] - maps[k].mean()) / maps[k].std()
        squeezed = F.interpolate(even[None, None], (4, 4), mode="bilinear", align_corners=False)
        expected = squeezed.sigmoid().flatten()
        torch.testing.assert_close(prior.bias(legacy=True)[k], expected)
    aligned = prior.bias(legacy=False).view(2, 4, 4)
    assert not aligned[..., 2:].any()
    assert prior.bias(legacy=True).min() > 0
