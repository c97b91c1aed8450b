from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_cdt

from samplar.methods.oracle_prompts import (
    box_prompts,
    depth,
    point_prompts,
    ring_of,
    spread_points,
)


def mask(*rows):
    return torch.tensor([[c == "#" for c in row] for row in rows])


def points_of(shape, **counts):
    return point_prompts(shape[None], ~shape[None], **{"inside": 1, "outside": 0, **counts})


def test_the_box_is_tight_and_in_x_y_order():
    shape = mask("......", "..##..", "...#..", "......")
    prompt = box_prompts(torch.stack([shape, shape.roll(1, 0)]))
    assert prompt.boxes.tolist() == [[2, 1, 3, 2], [2, 2, 3, 3]]
    assert prompt.points is None


def test_the_box_of_a_single_pixel():
    assert box_prompts(mask("...", "..#")[None]).boxes.tolist() == [[2, 1, 2, 1]]


def test_the_point_is_the_deepest_pixel():
    shape = mask(
        "#.......",
        "....###.",
        "#.#####.",
        "....###.",
        "....###.",
        "........",
    )
    prompt = points_of(shape)
    assert prompt.points.tolist() == [[[5, 2]]]
    assert prompt.labels.tolist() == [[1]]


def test_the_border_of_the_image_counts_as_outside():
    assert points_of(torch.ones(5, 7, dtype=torch.bool)).points[0, 0].tolist() == [2, 2]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_depth_is_the_distance_of_an_independent_library(seed):
    shape = np.random.default_rng(seed).random((12, 9)) < 0.7
    expected = distance_transform_cdt(np.pad(shape, 1), "chessboard")[1:-1, 1:-1]
    assert np.array_equal(depth(torch.from_numpy(shape)).numpy(), expected)


def test_more_points_lie_apart():
    line = torch.zeros(3, 9, dtype=torch.bool)
    line[1] = True
    # All have depth 1. The first is the first; then whatever is at least 1 away, in order.
    assert spread_points(line, 3).tolist() == [[0, 1], [1, 1], [2, 1]]
    # Deep in the middle (depth 4 at (3, 3)); then depth 2 at distance sqrt(8), depth 3 at 1.4.
    square = torch.ones(7, 7, dtype=torch.bool)
    assert spread_points(square, 2).tolist() == [[3, 3], [1, 1]]


def test_no_points_of_nothing():
    assert spread_points(torch.zeros(4, 4, dtype=torch.bool), 2).shape == (0, 2)
    assert spread_points(torch.ones(4, 4, dtype=torch.bool), 0).shape == (0, 2)


def test_points_outside_are_near_and_never_in_unknown_pixels():
    shape = torch.zeros(40, 40, dtype=torch.bool)
    shape[18:22, 18:22] = True
    others = ~shape
    others[:, :20] = False  # the left half is not labelled
    prompt = point_prompts(shape[None], others[None], inside=2, outside=3)
    assert prompt.labels.tolist() == [[1, 1, 0, 0, 0]]
    for (x, y), kind in zip(prompt.points[0].int().tolist(), [1, 1, 0, 0, 0], strict=True):
        assert bool((shape if kind else others)[y, x])
        assert 14 <= x <= 25
        assert 14 <= y <= 25


@pytest.mark.parametrize(("side", "margin"), [(2, 4), (16, 4), (24, 6)])
def test_the_ring_is_a_quarter_of_the_longer_side(side, margin):
    shape = torch.zeros(64, 64, dtype=torch.bool)
    shape[30, 20 : 20 + side] = True
    ring = torch.nonzero(ring_of(shape))
    assert ring.amin(0).tolist() == [30 - margin, 20 - margin]
    assert ring.amax(0).tolist() == [30 + margin, 19 + side + margin]


def test_too_few_pixels_are_filled_up_with_no_points():
    prompt = points_of(mask("...", ".#.", "..."), inside=2, outside=1)
    assert prompt.labels.tolist() == [[1, 0, -1]]
    assert prompt.points[0, 0].tolist() == [1, 1]
    assert points_of(mask("##", "##"), outside=1).labels.tolist() == [[1, -1]]


def test_masks_go_in_rows():
    shapes = torch.stack([mask("#..", "..."), mask("...", "..#")])
    prompt = point_prompts(shapes, ~shapes, inside=1, outside=0)
    assert prompt.points.tolist() == [[[0, 0]], [[2, 1]]]
    nothing = point_prompts(shapes[:0], shapes[:0], inside=1, outside=2)
    assert nothing.points.shape == (0, 3, 2)
    assert box_prompts(shapes[:0]).boxes.shape == (0, 4)
