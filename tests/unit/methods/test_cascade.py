from __future__ import annotations

import pytest
import torch

from samplar.methods.cascade import Asked, best_of_three, refine, tight_boxes
from samplar.sam.prompt import Prompts

SIDE = 32


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def asked():
    content = torch.ones(2, SIDE, SIDE, dtype=torch.bool)
    content[1, 20:] = False
    points = torch.tensor([[[5.0, 6.0]], [[7.0, 8.0]], [[9.0, 3.0]]])
    prompts = Prompts(points, torch.ones(3, 1, dtype=torch.long))
    image = torch.tensor([0, 1, 1])
    return Asked(draw(2, 32, 8, 8), content, image, points[:, 0], prompts)


def test_the_best_is_never_the_single_mask():
    masks = torch.arange(8.0).view(2, 4, 1, 1).expand(2, 4, 3, 3)
    quality = torch.tensor([[9.0, 0.1, 0.3, 0.2], [0.0, 0.4, 0.4, 0.3]])
    best = best_of_three(masks, quality)
    assert best.shape == (2, 1, 3, 3)
    assert best[:, 0, 0, 0].tolist() == [2, 5]


def test_boxes_by_hand(asked):
    masks = torch.full((3, 1, SIDE, SIDE), -1.0)
    masks[0, 0, 4:9, 10:12] = 1
    masks[1, 0, 15:30, 2] = 1  # the image ends at row 20
    boxes = tight_boxes(masks, asked)
    assert boxes.tolist() == [[10, 4, 11, 8], [2, 15, 2, 19], [9, 3, 9, 3]]


def test_boxes_of_coarse_masks_are_in_pixels_of_the_frame(asked):
    masks = torch.full((3, 1, 8, 8), -1.0)
    masks[:, 0, 2, 3] = 1  # cell of pixels 12..15 and 8..11; the 0 lies halfway to the next
    assert tight_boxes(masks, asked)[0].tolist() == [12, 8, 15, 11]


@torch.no_grad()
def test_passes_written_out(asked, tiny_sam):
    first = draw(3, 1, SIDE, SIDE, seed=3)
    points, labels = asked.prompts.points, asked.prompts.labels
    images = asked.embedding[asked.image]
    second = best_of_three(*tiny_sam.decode(images, Prompts(points, labels, None, first)))
    boxes = tight_boxes(second, asked)
    third = best_of_three(*tiny_sam.decode(images, Prompts(points, labels, boxes, second)))
    for passes, expected in (([], first), ([False], second), ([False, True], third)):
        found = refine(tiny_sam, asked, first, boxes=passes)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert (third - second).abs().max() > 1e-3


@torch.no_grad()
def test_a_given_box_stays_until_a_pass_asks_for_the_masks_own(asked, tiny_sam):
    given = torch.tensor([[1.0, 1.0, 9.0, 9.0]]).expand(3, 4)
    boxed = Asked(asked.embedding, asked.content, asked.image, asked.first, Prompts(boxes=given))
    first = draw(3, 1, SIDE, SIDE, seed=3)
    images = asked.embedding[asked.image]
    expected = best_of_three(*tiny_sam.decode(images, Prompts(boxes=given, masks=first)))
    found = refine(tiny_sam, boxed, first, boxes=[False])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
