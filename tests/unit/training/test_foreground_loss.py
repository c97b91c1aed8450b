"""The loss over foreground classes against its formulas, pixel by pixel."""

from __future__ import annotations

import math

import pytest
import torch

from samplar.config.loss import ForegroundLossConfig
from samplar.methods.contract import Pass
from samplar.training.passes import pass_loss

HU = ForegroundLossConfig()
SHAHARABANY = ForegroundLossConfig(squared=False, over="image", smooth=2.0)


def made(classes=3, rows=2, side=4):
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(rows, classes + 1, side, side, generator=generator)
    labels = torch.randint(0, classes + 1, (rows, side, side), generator=generator)
    labels[0, 0] = 255
    return logits, labels


def chances(logits, row, i, j):
    exponents = [math.exp(v) for v in logits[row, :, i, j].tolist()]
    return [e / sum(exponents) for e in exponents]


def test_hu_is_dice_of_each_class_in_the_batch_squared_without_background():
    logits, labels = made()
    labels[labels == 3] = 0  # a class that nothing shows still has a term
    entropy, count, sums = 0.0, 0, [[0.0, 0.0, 0.0] for _ in range(3)]
    for row, i, j in torch.nonzero(labels != 255).tolist():
        p, true = chances(logits, row, i, j), int(labels[row, i, j])
        entropy, count = entropy - math.log(p[true]), count + 1
        for number in (1, 2, 3):
            y = float(true == number)
            for place, value in enumerate((p[number] * y, p[number] ** 2, y**2)):
                sums[number - 1][place] += value
    terms = [1 - (2 * o + 1) / (f + t + 1) for o, f, t in sums]
    found = pass_loss(Pass(logits, labels), HU)
    assert found.item() == pytest.approx(entropy / count + sum(terms) / 3, rel=1e-6)


def test_shaharabany_is_dice_of_each_image_and_cross_entropy_of_one_structure():
    logits, labels = made(classes=1)
    logits[:, 0] = 0
    entropy, count, sums = 0.0, 0, [[0.0, 0.0, 0.0] for _ in labels]
    for row, i, j in torch.nonzero(labels != 255).tolist():
        p, y = 1 / (1 + math.exp(-float(logits[row, 1, i, j]))), int(labels[row, i, j])
        entropy, count = entropy - math.log(p if y else 1 - p), count + 1
        # true positives, false negatives, false positives
        for place, value in enumerate((p * y, (1 - p) * y, p * (1 - y))):
            sums[row][place] += value
    dice = 1 - sum((tp + 1) / (tp + fn / 2 + fp / 2 + 1) for tp, fn, fp in sums) / len(sums)
    found = pass_loss(Pass(logits, labels), SHAHARABANY)
    assert found.item() == pytest.approx(entropy / count + dice, rel=1e-6)


def test_what_is_right_already_is_no_part_of_the_mean():
    """One class of two is perfect: the loss is that of the other, not half of it."""
    labels = torch.ones(1, 4, 4, dtype=torch.long)
    labels[0, 0] = 2
    logits = torch.zeros(1, 4, 4, 4)
    logits[:, 3] = -1e4  # of the third class nothing is found, and nothing is there
    config = ForegroundLossConfig(ce=0)
    two = pass_loss(Pass(logits[:, :3], labels), config)
    torch.testing.assert_close(pass_loss(Pass(logits, labels), config), two)


@pytest.mark.parametrize("config", [HU, SHAHARABANY])
def test_wild_logits_and_nothing_labelled_are_finite(config):
    logits, labels = made()
    for given, target in ((1e4 * logits, labels), (logits, torch.full_like(labels, 255))):
        scores = given.clone().requires_grad_()
        pass_loss(Pass(scores, target), config).backward()
        assert torch.isfinite(scores.grad).all()


def test_weights_scale_the_two_parts():
    logits, labels = made()
    parts = [
        pass_loss(Pass(logits, labels), ForegroundLossConfig(ce=ce, dice=dice))
        for ce, dice in ((1, 0), (0, 1), (0.5, 3))
    ]
    torch.testing.assert_close(parts[2], 0.5 * parts[0] + 3 * parts[1])
