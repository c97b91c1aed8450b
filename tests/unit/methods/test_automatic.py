from __future__ import annotations

import pytest
import torch

from samplar.methods.automatic import (
    Sieve,
    automatic_masks,
    box_overlap,
    boxes_of,
    grid_points,
    stability,
    suppress,
)
from samplar.sam.prompt import Prompts

ALL = Sieve(grid=3, sure=-9.0, stable=0.0, overlap=1.0)


def test_points_are_the_centres_of_cells_over_the_image():
    points = grid_points(2, (8, 12), device=torch.device("cpu"))
    assert points.tolist() == [[3, 2], [9, 2], [3, 6], [9, 6]]
    default = grid_points(Sieve().grid, (64, 64), device=torch.device("cpu"))
    assert default.shape == (1024, 2)
    assert default[0].tolist() == [1, 1]


def test_stability_by_hand():
    logits = torch.tensor([[[2.0, 2.0, 0.5, -0.5]], [[-3.0, -3.0, -3.0, -3.0]]])
    assert stability(logits).tolist() == [0.5, 0.0]


def test_boxes_by_hand():
    masks = torch.zeros(2, 4, 5, dtype=torch.bool)
    masks[0, 1:3, 2:5] = True
    assert boxes_of(masks).tolist() == [[2, 1, 4, 2], [0, 0, 0, 0]]


def test_overlap_by_hand():
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0], [5.0, 5.0, 6.0, 6.0]])
    assert box_overlap(boxes[0], boxes).tolist() == pytest.approx([1, 1 / 7, 0])


def test_of_two_that_overlap_the_surer_stays():
    boxes = torch.tensor(
        [[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30], [0, 0, 10, 5], [7, 7, 7, 7]]
    )
    quality = torch.tensor([0.90, 0.95, 0.99, 0.91, 0.5])
    assert suppress(boxes, quality, overlap=0.7).tolist() == [2, 1, 3, 4]
    assert suppress(boxes, quality, overlap=0.5).tolist() == [2, 1, 4]
    assert suppress(boxes, quality, overlap=1.0).tolist() == [2, 1, 3, 0, 4]
    assert suppress(boxes[:0], quality[:0], overlap=0.7).tolist() == []


@pytest.fixture
def embedding(tiny_sam):
    return tiny_sam.encode(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)))


def find(sam, embedding, sieve, content=(32, 32)):
    with torch.no_grad():
        return automatic_masks(sam, embedding, size=32, content=content, sieve=sieve)


@torch.no_grad()
def test_every_point_gives_sams_three_masks(tiny_sam, embedding):
    found = find(tiny_sam, embedding, ALL, content=(24, 32))
    points = grid_points(3, (24, 32), device=torch.device("cpu"))
    inside = torch.ones(9, 1, dtype=torch.long)
    masks, quality = tiny_sam.decode(embedding, Prompts(points=points[:, None], labels=inside))
    assert found.logits.shape == (27, 32, 32)
    assert found.masks.shape == (27, 24, 32)
    expected, order = quality[:, 1:].flatten().sort(descending=True, stable=True)
    torch.testing.assert_close(found.quality, expected)
    torch.testing.assert_close(found.logits, masks[:, 1:].flatten(0, 1)[order])
    assert torch.equal(found.masks, found.logits[:, :24] > 0)


def test_the_sieve_keeps_the_sure_and_the_stable(tiny_sam, embedding):
    with torch.no_grad():  # made-up weights give logits about 0, of which none is stable
        for network in tiny_sam.mask_decoder.output_hypernetworks_mlps:
            network.layers[-1].weight.mul_(30)
    everything = find(tiny_sam, embedding, ALL)
    middle = float(everything.quality.median())
    sure = find(tiny_sam, embedding, Sieve(grid=3, sure=middle, stable=0.0, overlap=1.0))
    assert torch.equal(sure.quality, everything.quality[everything.quality > middle])
    steady = stability(everything.logits)
    level = float(steady.median())
    stable = find(tiny_sam, embedding, Sieve(grid=3, sure=-9.0, stable=level, overlap=1.0))
    assert torch.equal(stable.quality, everything.quality[steady >= level])
    assert 0 < len(stable.masks) < 27
    assert len(find(tiny_sam, embedding, Sieve(grid=3, sure=9.0)).masks) == 0


def test_the_defaults_are_the_published_ones():
    assert Sieve() == Sieve(grid=32, sure=0.88, stable=0.95, overlap=0.7)
