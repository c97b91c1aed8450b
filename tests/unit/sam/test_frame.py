from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from samplar.sam.frame import fitted_size, letterbox, letterbox_labels, unletterbox

SIDES = st.integers(1, 400)


@pytest.mark.parametrize(
    ("height", "width", "size", "expected"),
    [
        (100, 200, 64, (32, 64)),
        (200, 100, 64, (64, 32)),
        (3, 200, 64, (1, 64)),  # 0.96 rounds to 1
        (1, 400, 64, (1, 64)),  # never less than a pixel
        (37, 53, 64, (45, 64)),  # 44.68 + 0.5
        (5, 8, 4, (3, 4)),  # 2.5 goes up, as in SAM, not to the even number
        (64, 64, 64, (64, 64)),
    ],
)
def test_the_longest_side_fills_the_frame(height, width, size, expected):
    assert fitted_size(height, width, size) == expected


@given(SIDES, SIDES)
def test_fits_in_the_frame_with_the_image_in_proportion(height, width):
    rows, columns = fitted_size(height, width, 64)
    assert max(rows, columns) == 64
    assert min(rows, columns) >= 1
    short, long = min(height, width), max(height, width)
    assert abs(min(rows, columns) - max(1, 64 * short / long)) <= 0.5 + 1e-9


def test_pads_with_zeros_right_and_below():
    framed = letterbox(torch.ones(2, 3, 20, 40), 16)
    assert framed.shape == (2, 3, 16, 16)
    torch.testing.assert_close(framed[..., :8, :], torch.ones(2, 3, 8, 16))
    assert not framed[..., 8:, :].any()
    assert not letterbox(torch.ones(1, 1, 40, 20), 16)[..., 8:].any()


def test_an_image_of_the_frames_size_is_not_touched():
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(letterbox(image, 16), image)
    assert torch.equal(letterbox(image[..., :10, :], 16)[..., :10, :], image[..., :10, :])


def test_shrinking_averages_instead_of_skipping_pixels():
    stripes = torch.zeros(1, 1, 64, 64)
    stripes[..., ::2] = 1
    inner = letterbox(stripes, 16)[..., 2:-2, 2:-2]
    assert (inner - 0.5).abs().max() < 0.05


def test_enlarging_is_bilinear_between_pixel_centres():
    row = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2).expand(1, 1, 2, 2)
    assert letterbox(row, 4)[0, 0, 0].tolist() == [0.0, 0.25, 0.75, 1.0]


def test_labels_take_the_nearest_pixel_and_invent_no_class():
    labels = torch.tensor([[0, 1, 1, 7], [255, 255, 0, 7]], dtype=torch.uint8)[None]
    framed = letterbox_labels(labels, 8)
    assert framed.dtype == torch.uint8
    doubled = labels.repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert torch.equal(framed[:, :4], doubled)
    assert not framed[:, 4:].any()


def test_labels_lie_where_the_image_lies():
    labels = torch.zeros(1, 48, 30, dtype=torch.uint8)
    labels[:, 9:33, 6:24] = 1
    image = letterbox(labels[:, None].float(), 16)[:, 0]
    assert torch.equal(letterbox_labels(labels, 16) == 1, image > 0.5)


@pytest.mark.parametrize("shape", [(20, 40), (40, 20), (16, 16), (16, 9), (5, 3), (100, 35)])
def test_a_smooth_image_survives_the_round_trip(shape):
    rows = torch.linspace(0, 1, shape[0])[:, None]
    columns = torch.linspace(0, 1, shape[1])[None]
    image = (0.7 * rows + 0.3 * columns).expand(1, 3, *shape)
    back = unletterbox(letterbox(image, 16), 16, shape)
    assert back.shape == image.shape
    assert (back - image).abs().max() < 0.11  # half a pixel of the smaller grid


def test_maps_of_a_quarter_of_the_frame_are_stretched_over_all_of_it_before_cropping():
    logits = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    whole = F.interpolate(logits, (16, 16), mode="bilinear", align_corners=False)
    assert torch.equal(unletterbox(logits, 16, (16, 8)), whole[..., :8])
    assert torch.equal(unletterbox(logits, 16, (7, 16)), whole[..., :7, :])


def test_the_padding_does_not_leak_into_the_answer():
    logits = torch.full((1, 2, 16, 16), 9.0)
    logits[..., :8, :] = -1.0
    assert (unletterbox(logits, 16, (50, 100)) == -1).all()


def test_the_padding_may_have_a_colour():
    colour = torch.tensor([0.5, 0.25, 0.75]).view(3, 1, 1)
    image = torch.ones(2, 3, 10, 20)
    framed = letterbox(image, 16, padding=colour)
    torch.testing.assert_close(framed[:, :, :8], torch.ones(2, 3, 8, 16))
    assert torch.equal(framed[:, :, 8:], colour.expand(2, 3, 8, 16))
    tall = letterbox(image.transpose(2, 3), 16, padding=colour)
    torch.testing.assert_close(tall, framed.transpose(2, 3))
    assert torch.equal(letterbox(image, 16, padding=0 * colour), letterbox(image, 16))
