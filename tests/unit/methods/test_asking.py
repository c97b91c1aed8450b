from __future__ import annotations

import torch

from samplar.methods.asking import ABSENT, class_logits, decode_rows, rows_of
from samplar.sam.guidance import Guidance
from samplar.sam.prompt import Prompts


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_more_rows_than_fit_at_once_are_the_rows_one_by_one(tiny_sam):
    embedding = draw(3, 32, 8, 8)
    image = torch.arange(11) % 3  # eight at a time on a CPU
    boxes = torch.tensor([[1.0, 2.0, 9.0, 9.0]]) + torch.arange(11.0)[:, None]
    given = Guidance(draw(11, 64, seed=1), draw(11, 32, seed=2))
    masks, quality = decode_rows(tiny_sam, embedding, image, Prompts(boxes=boxes), given)
    for row in range(11):
        one = slice(row, row + 1)
        expected = tiny_sam.decode(
            embedding[image[one]],
            Prompts(boxes=boxes[one]),
            Guidance(given.bias[one], given.target[one]),
        )
        torch.testing.assert_close(masks[one], expected[0], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(quality[one], expected[1], rtol=1e-5, atol=1e-5)
    assert (masks[0] - masks[3]).abs().max() > 1e-3


@torch.no_grad()
def test_no_rows_give_no_masks_of_the_right_size(tiny_sam):
    none = torch.zeros(0, dtype=torch.long)
    masks, quality = decode_rows(
        tiny_sam, draw(2, 32, 8, 8), none, Prompts(boxes=torch.zeros(0, 4))
    )
    assert masks.shape == (0, 4, 32, 32)
    assert quality.shape == (0, 4)


def test_rows_of_every_part_of_a_prompt():
    whole = Prompts(draw(4, 2, 2), torch.ones(4, 2, dtype=torch.long), None, draw(4, 1, 8, 8))
    part = rows_of(whole, slice(1, 3))
    assert torch.equal(part.points, whole.points[1:3])
    assert torch.equal(part.masks, whole.masks[1:3])
    assert part.boxes is None
    assert part.count == 2


def test_the_smaller_mask_is_in_front_of_the_larger():
    ring_and_hole = [[5.0, 4.0, 6.0, -1.0]]
    hole = [[-3.0, 1.0, -2.0, -9.0]]
    masks = torch.tensor([ring_and_hole, hole])
    out = class_logits(masks, torch.tensor([1, 1]), torch.tensor([1, 3]), images=2, classes=3)
    assert out.shape == (2, 4, 1, 4)
    assert out[1].argmax(0).tolist() == [[1, 3, 1, 0]]
    assert torch.equal(out[1, 3], masks[1])
    assert out[1, 1].tolist() == [[5.0, -1.0, 6.0, -1.0]]
    assert (out[0, 1:] == ABSENT).all()
    assert not out[:, 0].any()
