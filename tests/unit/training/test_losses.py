from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from samplar.config.loss import LossConfig
from samplar.training.losses import dice_loss, segmentation_loss

CE, DICE = LossConfig(ce=1, dice=0), LossConfig(ce=0, dice=1)


def logits(*chances):
    """Logits (1, k, 1, n) whose softmax is the given rows, one per pixel."""
    return torch.tensor(chances).log().T[None, :, None, :]


def target(*labels):
    return torch.tensor(labels, dtype=torch.uint8).view(1, 1, -1)


def random_case(seed=0, classes=4):
    chance = np.random.default_rng(seed)
    scores = torch.from_numpy(chance.normal(size=(2, classes, 6, 5)).astype(np.float32))
    labels = torch.from_numpy(chance.integers(0, classes, (2, 6, 5)).astype(np.uint8))
    return scores, labels


def test_cross_entropy_by_hand():
    found = segmentation_loss(logits([0.75, 0.25], [0.5, 0.5]), target(0, 1), CE)
    assert found.item() == pytest.approx((-math.log(0.75) - math.log(0.5)) / 2, rel=1e-6)


def test_dice_by_hand():
    # class 0: p = .75 .5, t = 1 0: 2 * .75 / (.5625 + .25 + 1); class 1: p = .25 .5, t = 0 1
    found = segmentation_loss(logits([0.75, 0.25], [0.5, 0.5]), target(0, 1), DICE)
    dices = (1.5 / 1.8125, 1.0 / 1.3125)
    assert found.item() == pytest.approx(1 - sum(dices) / 2, abs=1e-5)


def test_weights_scale_the_two_parts():
    scores, labels = random_case()
    parts = [segmentation_loss(scores, labels, c).item() for c in (CE, DICE)]
    both = segmentation_loss(scores, labels, LossConfig(ce=0.2, dice=0.8)).item()
    assert both == pytest.approx(0.2 * parts[0] + 0.8 * parts[1], rel=1e-6)


def samed_dice(scores, labels, classes):
    """The Dice of SAMed's `utils.py`, class by class, in numpy."""
    x = scores.numpy().astype(np.float64)
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    total = 0.0
    for k in range(classes):
        t = (labels.numpy() == k).astype(np.float64)
        overlap, squares = (p[:, k] * t).sum(), (p[:, k] ** 2).sum() + (t * t).sum()
        total += 1 - (2 * overlap + 1e-5) / (squares + 1e-5)
    return total / classes


@pytest.mark.parametrize("classes", [2, 4, 9])
def test_equals_sameds_loss(classes):
    scores, labels = random_case(classes=classes)
    config = LossConfig(ce=0.2, dice=0.8, absent="count")
    ce = torch.nn.functional.cross_entropy(scores, labels.long()).item()
    expected = 0.2 * ce + 0.8 * samed_dice(scores, labels, classes)
    assert segmentation_loss(scores, labels, config).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("by", ["label 255", "valid"])
def test_hidden_pixels_are_as_if_they_were_not_there(by):
    scores, labels = random_case()
    hidden = torch.zeros_like(labels, dtype=torch.bool)
    hidden[:, 4:] = True
    config = LossConfig(ce=0.3, dice=0.7)
    expected = segmentation_loss(scores[:, :, :4], labels[:, :4], config).item()
    wild = scores.masked_fill(hidden[:, None], 1e3)
    if by == "valid":
        found = segmentation_loss(wild, labels, config, valid=~hidden)
    else:
        found = segmentation_loss(wild, labels.masked_fill(hidden, 255), config)
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_hidden_pixels_get_no_gradient():
    scores, labels = random_case()
    scores.requires_grad_(True)
    valid = torch.ones_like(labels, dtype=torch.bool)
    valid[0, :, 2] = False
    segmentation_loss(scores, labels, LossConfig(), valid=valid).backward()
    assert not scores.grad[0, :, :, 2].any()
    assert scores.grad[0, :, :, 1].all()


def test_an_absent_class_is_skipped_or_counted():
    scores, labels = random_case(classes=3)
    labels[labels == 2] = 0
    per_class = [
        1 - 2 * (p * t).sum() / ((p**2).sum() + t.sum())
        for p, t in ((scores.softmax(1)[:, k], (labels == k).float()) for k in range(3))
    ]
    assert per_class[2] == 1
    found = {
        absent: dice_loss(scores, labels.long(), LossConfig(absent=absent)).item()
        for absent in ("skip", "count")
    }
    assert found["skip"] == pytest.approx(sum(per_class[:2]).item() / 2, abs=1e-5)
    assert found["count"] == pytest.approx(sum(per_class).item() / 3, abs=1e-5)


def test_a_batch_without_any_label_costs_nothing():
    scores, labels = random_case()
    scores.requires_grad_(True)
    loss = segmentation_loss(scores, torch.full_like(labels, 255), LossConfig())
    loss.backward()
    assert loss.item() == 0
    assert not scores.grad.any()


def test_a_perfect_answer_costs_next_to_nothing():
    _, labels = random_case()
    scores = 60 * torch.nn.functional.one_hot(labels.long(), 4).movedim(3, 1).float()
    assert segmentation_loss(scores, labels, LossConfig()).item() < 1e-5


def test_half_precision_logits_are_summed_in_full():
    labels = torch.zeros(1, 512, 512, dtype=torch.uint8)
    scores = torch.zeros(1, 2, 512, 512, dtype=torch.bfloat16)
    assert segmentation_loss(scores, labels, CE).item() == pytest.approx(math.log(2), rel=1e-4)
