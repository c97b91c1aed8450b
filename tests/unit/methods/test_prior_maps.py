from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from samplar.methods.automatic import Sieve, automatic_masks
from samplar.methods.prior_maps import INPUTS, edges, fused, maps_of_masks, prior_maps

EVERYTHING = Sieve(grid=2, sure=-9.0, stable=0.0, overlap=1.0)


def test_maps_of_two_rectangles_that_overlap_by_hand():
    masks = torch.zeros(2, 5, 6, dtype=torch.bool)
    masks[0, 1:4, 1:4] = True
    masks[1, 2:5, 3:6] = True
    segments, edge = maps_of_masks(masks, torch.tensor([0.5, 0.75])).numpy()
    assert segments.tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 0.5, 0.5, 0.5, 0, 0],
        [0, 0.5, 0.5, 1.25, 0.75, 0.75],
        [0, 0.5, 0.5, 1.25, 0.75, 0.75],
        [0, 0, 0, 0.75, 0.75, 0.75],
    ]
    assert edge.tolist() == [
        [0, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 0],
        [0, 1, 1, 1, 0, 0],
    ]


def test_edges_are_where_dilation_and_erosion_differ():
    chance = np.random.default_rng(0)
    masks = ndimage.zoom(chance.random((50, 5, 6)), (1, 4, 3), order=1) > 0.5
    cross = ndimage.generate_binary_structure(2, 1)
    expected = [
        ndimage.grey_dilation(mask, footprint=cross) != ndimage.grey_erosion(mask, footprint=cross)
        for mask in masks.astype(np.uint8)
    ]
    assert np.array_equal(edges(torch.from_numpy(masks)).numpy(), np.stack(expected))


def test_without_masks_nothing_is_added():
    maps = maps_of_masks(torch.zeros(0, 4, 5, dtype=torch.bool), torch.zeros(0))
    assert maps.shape == (2, 4, 5)
    assert not maps.any()
    images = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(fused(images, torch.zeros(1, 2, 4, 4), "add"), images)


@pytest.mark.parametrize("fusion", INPUTS)
def test_how_maps_are_put_into_images(fusion):
    images, maps = torch.rand(2, 3, 4, 4), torch.rand(2, 2, 4, 4) + 1
    found = fused(images, maps, fusion)
    assert found.shape[1] == INPUTS[fusion]
    kept = images.mean(dim=1) if fusion == "replace" else images[:, 0]
    assert torch.equal(found[:, 0], kept)
    if fusion == "add":
        torch.testing.assert_close(found[:, 1:] - images[:, 1:], maps)
        assert found.max() > 1  # not clipped
    else:
        assert torch.equal(found[:, -2:], maps)


@torch.no_grad()
def test_the_maps_are_those_of_the_automatic_masks_and_nothing_lies_in_the_padding(tiny_sam):
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    images[:, :, 20:] = 0
    for network in tiny_sam.mask_decoder.output_hypernetworks_mlps:
        network.layers[-1].weight.mul_(50)  # masks that are stable in part
    maps = prior_maps(tiny_sam, images, EVERYTHING)
    assert not maps[:, :, 20:].any()
    for number in range(2):
        embedding = tiny_sam.encode(images)[number : number + 1]
        found = automatic_masks(tiny_sam, embedding, size=32, content=(20, 32), sieve=EVERYTHING)
        assert len(found.masks) > 1
        assert len(set(found.stable.tolist()) - {0.0}) > 1
        segments = np.zeros((20, 32))
        for mask, stable in zip(found.masks.numpy(), found.stable.numpy(), strict=True):
            segments[mask] += stable
        np.testing.assert_allclose(maps[number, 0, :20], segments, atol=1e-5)
        assert maps[number, 1, :20].any()
    nothing = prior_maps(tiny_sam, images, Sieve(grid=2, sure=1e9))
    assert not nothing.any()
