from __future__ import annotations

import pytest
import torch

from samplar.methods.interaction import (
    COUNTS,
    FARTHEST,
    Targets,
    correcting_points,
    draw_targets,
    first_prompts,
    moved_boxes,
)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def one(truth, known=None):
    truth = truth[None]
    known = torch.ones_like(truth) if known is None else known[None]
    return Targets(torch.zeros(1, dtype=torch.long), truth, known)


def square(top, left, bottom, right, side=32):
    mask = torch.zeros(side, side, dtype=torch.bool)
    mask[top:bottom, left:right] = True
    return mask


def test_corrections_point_at_misses_with_1_and_at_what_is_too_much_with_0():
    truth, found = square(0, 0, 10, 10), square(0, 5, 10, 15)
    kinds = set()
    for seed in range(20):
        prompts = correcting_points(found[None], one(truth), chance=chance(seed))
        for (x, y), label in zip(prompts.points[0].long(), prompts.labels[0], strict=True):
            assert bool(truth[y, x]) != bool(found[y, x])
            assert int(label) == int(truth[y, x])
            kinds.add(int(label))
    assert kinds == {0, 1}


def test_where_nothing_is_wrong_or_known_there_is_no_point():
    truth = square(0, 0, 10, 10)
    prompts = correcting_points(truth[None], one(truth), chance=chance())
    assert (prompts.labels == -1).all()
    hidden = one(truth, known=truth)
    everything = torch.ones_like(truth)[None]
    prompts = correcting_points(everything, hidden, chance=chance())
    assert (prompts.labels == -1).all()  # all that is too much is not labelled


def test_corrections_have_one_of_the_published_numbers_of_points():
    truth = square(0, 0, 10, 10)
    lengths = {
        correcting_points(~truth[None], one(truth), chance=chance(seed)).labels.shape[1]
        for seed in range(40)
    }
    assert lengths == set(COUNTS)


def test_boxes_are_moved_and_keep_their_size():
    truth = torch.stack([square(4, 6, 24, 20), square(8, 8, 10, 20), square(5, 5, 6, 6)])
    plain = torch.tensor([[6.0, 4, 19, 23], [8, 8, 19, 9], [5, 5, 5, 5]])
    moves = torch.stack([moved_boxes(truth, chance(seed)) - plain for seed in range(300)])
    assert torch.equal(moves[..., :2], moves[..., 2:])
    assert moves[:, 0, :2].abs().max() == FARTHEST
    assert moves[:, 1, :2].abs().max() == 1  # half of two rows
    assert not moves[:, 2].any()
    assert abs(moves[:, 0, 0].mean()) < 0.6


@pytest.mark.parametrize("seed", range(4))
def test_the_first_prompt_is_a_box_or_a_point_inside(seed):
    truth = square(4, 6, 24, 20)
    prompts = first_prompts(one(truth), chance(seed))
    if prompts.boxes is None:
        x, y = prompts.points[0, 0].long()
        assert truth[y, x]
        assert prompts.labels.tolist() == [[1]]
    else:
        assert prompts.points is None


def test_both_kinds_of_first_prompt_are_drawn():
    kinds = [first_prompts(one(square(4, 6, 24, 20)), chance(s)).boxes is None for s in range(60)]
    assert 15 < sum(kinds) < 45


def test_structures_are_drawn_from_every_image_that_shows_one():
    labels = torch.zeros(3, 32, 32, dtype=torch.uint8)
    labels[0, :8] = 1
    labels[0, 8:16] = 2
    labels[2, :8] = 2
    labels[2, 30:] = 255
    targets = draw_targets(labels, 2, count=5, chance=chance())
    assert targets.image.tolist() == [0] * 5 + [2] * 5
    for image, truth in zip(targets.image, targets.truth, strict=True):
        assert any(torch.equal(truth, labels[image] == k) for k in (1, 2))
    assert (targets.labels()[5:, 30:] == 255).all()
    assert targets.labels()[5:, :8].eq(1).all()


def test_images_without_structures_are_asked_about_nothing():
    labels = torch.zeros(2, 32, 32, dtype=torch.uint8)
    labels[1] = 255
    targets = draw_targets(labels, 2, count=5, chance=chance())
    assert targets.image.tolist() == [0, 1]
    assert not targets.truth.any()
    prompts = first_prompts(targets, chance())
    assert prompts.labels.tolist() == [[0], [-1]]
