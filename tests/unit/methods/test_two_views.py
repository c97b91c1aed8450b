from __future__ import annotations

import numpy as np
import pytest
import torch

from samplar.methods.two_views import (
    high_views,
    joined,
    low_labels,
    low_prompts,
    low_view,
    origins,
    padded,
)
from samplar.sam.prompt import Prompts

CPU = torch.device("cpu")
GREY = torch.tensor([0.1, 0.2, 0.3])[:, None, None]


def test_the_published_box_is_found_in_the_wider_view():
    origin = origins(1, "around", side=1024, device=CPU)
    box = Prompts(boxes=torch.tensor([[0.0, 0.0, 964.0, 697.0]]))
    assert low_prompts(box, origin).boxes.tolist() == [[256, 256, 738, 604]]


@pytest.mark.parametrize("layout", ["around", "inside"])
def test_a_point_lies_on_the_same_pixel_of_the_image_in_both_views(layout):
    side = 16
    frame = torch.zeros(1, 3, side, side)
    lit = (6, 11)  # x, y
    frame[..., lit[1] // 2 * 2 : lit[1] // 2 * 2 + 2, lit[0] // 2 * 2 : lit[0] // 2 * 2 + 2] = 1.0
    high, low = high_views(frame, layout), low_view(frame, layout, beyond=GREY)
    view = side if layout == "around" else side // 2
    number = 0 if layout == "around" else 2 * (lit[1] // view) + lit[0] // view
    inside = torch.tensor([[[float(lit[0] % view), float(lit[1] % view)]]])
    assert high[number, 0, int(inside[0, 0, 1]), int(inside[0, 0, 0])] == 1
    origin = origins(len(high), layout, side=view, device=CPU)[number : number + 1]
    asked = low_prompts(Prompts(points=inside, labels=torch.ones(1, 1).long()), origin)
    x, y = (int(v) for v in asked.points[0, 0])
    assert (y, x) == np.unravel_index(int(low[0, 0].argmax()), low.shape[-2:])
    assert asked.labels.tolist() == [[1]]


def test_the_wider_view_of_a_frame_is_the_frame_at_half_the_size_amid_padding():
    chance = np.random.default_rng(0)
    frame = torch.from_numpy(chance.random((2, 3, 8, 8), dtype=np.float32))
    low = low_view(frame, "around", beyond=GREY).numpy()
    border = np.ones((8, 8), dtype=bool)
    border[2:6, 2:6] = False
    assert np.allclose(low[:, :, border], GREY[:, :, 0].numpy())
    smooth = torch.full((1, 3, 8, 8), 0.7)
    assert torch.allclose(
        low_view(smooth, "around", beyond=GREY)[..., 2:6, 2:6], smooth[..., :4, :4]
    )
    assert low_view(frame, "inside", beyond=GREY).shape == (2, 3, 4, 4)


def test_quarters_are_cut_line_by_line_and_put_together_again():
    frame = torch.arange(2 * 1 * 6 * 6).view(2, 1, 6, 6)
    quarters = high_views(frame, "inside")
    for number, rows, columns in ((0, 0, 0), (1, 0, 3), (2, 3, 0), (3, 3, 3)):
        assert torch.equal(quarters[number], frame[0, :, rows : rows + 3, columns : columns + 3])
    assert torch.equal(quarters[5], frame[1, :, :3, 3:])
    assert torch.equal(joined(quarters.float(), "inside"), frame.float())
    assert high_views(frame, "around") is frame


def test_frames_whose_quarters_the_encoder_cannot_cut_are_extended():
    frame = torch.zeros(1, 3, 36, 36)
    whole = padded(frame, "inside", stride=4, beyond=GREY)
    assert whole.shape[-1] == 40
    assert torch.equal(whole[0, :, 38, 2], GREY[:, 0, 0])
    assert torch.equal(whole[0, :, 2, 38], GREY[:, 0, 0])
    assert not whole[..., :36, :36].any()
    labels = padded(torch.zeros(1, 36, 36).byte(), "inside", stride=4, beyond=torch.tensor(255))
    assert (int((labels == 255).sum()), labels.dtype) == (40 * 40 - 36 * 36, torch.uint8)
    assert padded(frame, "around", stride=16, beyond=GREY) is frame


@pytest.mark.parametrize("layout", ["around", "inside"])
def test_labels_of_a_high_view_are_known_where_it_lies_and_nowhere_else(layout):
    labels = torch.ones(4, 8, 8).byte()
    labels[:, :4] = 2
    origin = origins(4, layout, side=8, device=CPU)
    low = low_labels(labels, origin).numpy()
    for row, (x, y) in enumerate(origin.tolist()):
        expected = np.full((8, 8), 255)
        expected[y : y + 2, x : x + 4] = 2
        expected[y + 2 : y + 4, x : x + 4] = 1
        assert np.array_equal(low[row], expected)
