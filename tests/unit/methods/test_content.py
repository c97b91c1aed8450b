from __future__ import annotations

import torch

from samplar.methods.content import content_masks, content_sizes
from samplar.sam.frame import letterbox


def noise(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 0.1 + 0.9 * torch.rand(1, 3, height, width, generator=generator)


def test_the_padding_of_the_letterbox_is_found():
    frames = torch.cat([letterbox(noise(*shape), 32) for shape in ((20, 32), (64, 30), (32, 32))])
    assert content_sizes(frames) == [(20, 32), (32, 15), (32, 32)]


def test_padding_of_another_colour_is_found():
    frame = letterbox(noise(20, 32), 32) - torch.tensor([0.3, 0.2, 0.1]).view(1, 3, 1, 1)
    assert content_sizes(frame) == [(20, 32)]


def test_one_channel_is_enough_to_be_content():
    frame = torch.zeros(1, 3, 8, 8)
    frame[0, 2, 4, 5] = 0.01
    assert content_sizes(frame) == [(5, 6)]


def test_an_image_of_one_colour_fills_the_frame():
    assert content_sizes(torch.full((1, 3, 8, 8), 0.5)) == [(8, 8)]


def test_masks_are_true_on_the_content():
    masks = content_masks([(2, 3), (4, 4)], torch.zeros(2, 3, 4, 4))
    expected = [[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert masks[0].int().tolist() == expected
    assert masks[1].all()
