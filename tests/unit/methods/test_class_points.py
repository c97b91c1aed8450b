from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from samplar.methods.class_points import drawn_points, no_points, own_points, true_points


def drawing(*rows):
    return torch.tensor([[int(c) for c in row] for row in rows], dtype=torch.uint8)


LABELS = torch.stack(
    [
        drawing(
            "00000000",
            "01111100",
            "01111100",
            "01111100",
            "00000000",
            "00000000",
            "00000003",
            "00000000",
        ),
        drawing(
            "20000000",
            "00000000",
            "00000000",
            "00002222",
            "00002222",
            "00002222",
            "00002222",
            "00000000",
        ),
    ]
)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def test_points_are_drawn_inside_their_class_and_only_where_it_is_shown():
    points = drawn_points(LABELS, 3, count=4, chance=chance())
    assert points.given.all(dim=2).tolist() == [[True, False, True], [False, True, False]]
    assert points.given.any(dim=2).tolist() == points.given.all(dim=2).tolist()
    for image, place, n in torch.nonzero(points.given).tolist():
        x, y = points.xy[image, place, n].long().tolist()
        assert LABELS[image, y, x] == place + 1
    assert points.xy[0, 2].tolist() == [[7, 6]] * 4  # (x, y): the class is one pixel


def test_every_pixel_of_a_class_is_drawn_about_as_often():
    points = drawn_points(LABELS[:1], 1, count=15_000, chance=chance())
    _, counts = points.xy[0, 0].unique(dim=0, return_counts=True)
    assert len(counts) == 15
    assert (counts - 1000).abs().max() < 150  # five standard deviations


def test_the_same_draws_are_taken_whatever_is_shown():
    after = []
    for labels in (LABELS, torch.zeros_like(LABELS)):
        generator = chance(3)
        drawn_points(labels, 3, count=2, chance=generator)
        after.append(torch.rand(1, generator=generator).item())
    assert after[0] == after[1]


def test_one_seed_one_set_of_points():
    first, again, other = (drawn_points(LABELS, 3, count=3, chance=chance(s)) for s in (1, 1, 2))
    assert torch.equal(first.xy, again.xy)
    assert not torch.equal(first.xy, other.xy)


def test_the_true_point_is_the_deepest_pixel():
    points = true_points(LABELS, 3)
    assert points.given[..., 0].tolist() == [[True, False, True], [False, True, False]]
    assert points.xy[0, 0, 0].tolist() == [3, 2]
    assert points.xy[0, 2, 0].tolist() == [7, 6]
    x, y = points.xy[1, 1, 0].tolist()
    assert (x, y) in {(5, 4), (6, 4), (5, 5), (6, 5)}  # not the lone pixel in the corner


def test_prompts_list_the_classes_in_order_and_say_which_are_not_there():
    points = true_points(LABELS, 3)
    prompts = points.together()
    assert prompts.points.shape == (2, 3, 2)
    assert prompts.labels.tolist() == [[1, -1, 1], [-1, 1, -1]]
    assert torch.equal(prompts.points[0, 0], points.xy[0, 0, 0])
    one = points.of(2)
    assert one.points.tolist()[0] == [[7, 6]]
    assert one.labels.tolist() == [[1], [-1]]


def test_no_points_are_missing_points():
    points = no_points(2, 3, torch.zeros(1))
    assert points.xy.shape == (2, 3, 1, 2)
    assert not points.given.any()
    assert (points.together().labels == -1).all()


def scores(*maps):
    """Stack class maps (background is 0 everywhere) into logits of one image."""
    return torch.stack([torch.zeros_like(maps[0]), *maps])[None]


def square(size, top, left, side, value):
    out = torch.full((size, size), -5.0)
    out[top : top + side, left : left + side] = value
    return out


def test_the_models_own_point_lies_deep_in_what_it_is_surest_of():
    logits = scores(square(16, 2, 3, 5, 4.0), square(16, 9, 9, 3, 4.0), square(16, 0, 0, 2, -1.0))
    points = own_points(logits, torch.ones(1, 64, 64, dtype=torch.bool))
    assert points.given[0, :, 0].tolist() == [True, True, False]  # the third never wins
    # the centre of cell (row 4, column 5), four pixels a cell
    assert points.xy[0, 0, 0].tolist() == [5 * 4 + 1.5, 4 * 4 + 1.5]
    assert points.xy[0, 1, 0].tolist() == [10 * 4 + 1.5, 10 * 4 + 1.5]


def test_of_two_parts_the_surer_one_is_pointed_at():
    map_ = torch.maximum(square(16, 1, 1, 3, 0.5), square(16, 10, 10, 3, 6.0))
    points = own_points(scores(map_), torch.ones(1, 16, 16, dtype=torch.bool))
    assert points.xy[0, 0, 0].tolist() == [11, 11]


def test_a_larger_part_wins_over_an_equally_sure_speck():
    map_ = torch.maximum(square(16, 14, 14, 1, 4.0), square(16, 3, 3, 5, 4.0))
    points = own_points(scores(map_), torch.ones(1, 16, 16, dtype=torch.bool))
    assert points.xy[0, 0, 0].tolist() == [5, 5]


def test_nothing_is_pointed_at_in_the_padding():
    map_ = torch.maximum(square(16, 9, 9, 5, 6.0), square(16, 2, 2, 2, 1.0))
    shown = torch.zeros(1, 64, 64, dtype=torch.bool)
    shown[:, :32] = True
    points = own_points(scores(map_), shown)
    assert points.xy[0, 0, 0, 1] < 32
    assert points.given.all()
    shown[:, 8:] = False
    assert not own_points(scores(map_), shown).given.any()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_every_kind_of_point_lies_in_its_class(seed, classes):
    generator = chance(seed)
    logits = torch.randn(2, classes + 1, 12, 12, generator=generator)
    labels = logits.argmax(dim=1).to(torch.uint8)
    own = own_points(logits, torch.ones(2, 12, 12, dtype=torch.bool))
    drawn = drawn_points(labels, classes, count=1, chance=generator)
    for points in (own, drawn, true_points(labels, classes)):
        for image, place, n in torch.nonzero(points.given).tolist():
            x, y = points.xy[image, place, n].round().long().tolist()
            assert labels[image, y, x] == place + 1
        there = torch.stack([(labels == k + 1).any(2).any(1) for k in range(classes)], dim=1)
        assert torch.equal(points.given.any(dim=2), there)


@pytest.mark.parametrize("size", [(2, 5), (3, 1)])
def test_any_number_of_images_and_points(size):
    images, count = size
    labels = torch.ones(images, 6, 6, dtype=torch.uint8)
    points = drawn_points(labels, 2, count=count, chance=chance())
    assert points.together().points.shape == (images, 2 * count, 2)
