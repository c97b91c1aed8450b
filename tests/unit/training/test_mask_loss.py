"""The loss of masks against its formulas, pixel by pixel."""

from __future__ import annotations

import math

import pytest
import torch

from samplar.config.loss import LossConfig, MaskLossConfig
from samplar.training.losses import segmentation_loss
from samplar.training.mask_loss import mask_loss


def made(rows=3, side=4):
    generator = torch.Generator().manual_seed(0)
    mask = 2 * torch.randn(rows, side, side, generator=generator)
    labels = torch.randint(0, 2, (rows, side, side), generator=generator)
    labels[0, 0] = 255
    return torch.stack([torch.zeros_like(mask), mask], dim=1), labels


def by_hand(logits, labels, quality, *, together):
    focal, count = 0.0, 0
    sums = [[0.0, 0.0, 0.0] for _ in labels]  # overlap, predicted, true
    for row, i, j in torch.nonzero(labels != 255).tolist():
        p, y = 1 / (1 + math.exp(-logits[row, 1, i, j])), int(labels[row, i, j])
        right, weight = (p, 0.25) if y else (1 - p, 0.75)
        focal -= weight * (1 - right) ** 2 * math.log(right)
        count += 1
        sums[row] = [a + b for a, b in zip(sums[row], (p * y, p, y), strict=True)]
    overlap, found, true = (sum(part) for part in zip(*sums, strict=True))
    dice = 1 - (2 * overlap + 1) / (found + true + 1)
    ious = [o / (f + t - o) for o, f, t in sums]
    if together:
        ious = [overlap / (found + true - overlap)] * len(sums)
    error = sum((a - float(q)) ** 2 for a, q in zip(ious, quality, strict=True)) / len(sums)
    return 20 * focal / count + dice + error


@pytest.mark.parametrize("of", ["mask", "batch"])
def test_is_what_the_formulas_say(of):
    logits, labels = made()
    quality = torch.tensor([0.2, 0.9, -0.1])
    found = mask_loss(logits, labels, MaskLossConfig(quality_of=of), quality=quality)
    expected = by_hand(logits, labels, quality, together=of == "batch")
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_without_a_predicted_iou_there_is_no_error_of_it():
    logits, labels = made()
    found = mask_loss(logits, labels, MaskLossConfig())
    assert torch.equal(found, mask_loss(logits, labels, MaskLossConfig(quality=0)))


def test_wild_logits_and_nothing_labelled_are_finite():
    logits, labels = made()
    for given, target in ((1e4 * logits, labels), (logits, torch.full_like(labels, 255))):
        scores = given.clone().requires_grad_()
        mask_loss(scores, target, MaskLossConfig(), quality=torch.ones(3)).backward()
        assert torch.isfinite(scores.grad).all()


def test_foreground_can_count_twice_in_the_cross_entropy():
    logits, labels = made()
    found = segmentation_loss(logits, labels, LossConfig(ce=1, dice=0, foreground=2))
    known = labels != 255
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits[:, 1][known], labels[known].float(), pos_weight=torch.tensor(2.0)
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_dice_of_each_mask_and_focal_loss_without_focus_are_hand_values():
    logits = torch.zeros(2, 2, 1, 2)
    logits[0, 1, 0] = torch.tensor([math.log(3.0), 0.0])  # probabilities 3/4 and 1/2
    labels = torch.tensor([[[1, 0]], [[0, 0]]])
    dice = [1 - (2 * 0.75 + 1) / (1.25 + 1 + 1), 1 - 1 / (1 + 1)]
    entropy = (-math.log(0.75) - 3 * math.log(0.5)) / 4
    config = MaskLossConfig(focal=2, alpha=0.5, gamma=0, dice_of="mask", quality=0)
    expected = entropy + sum(dice) / 2
    assert float(mask_loss(logits, labels, config)) == pytest.approx(expected, abs=1e-6)
    together = MaskLossConfig(focal=0, quality=0)
    assert float(mask_loss(logits, labels, together)) == pytest.approx(1 - 2.5 / 4.25, abs=1e-6)


def test_a_focus_with_an_infinite_slope_is_refused():
    with pytest.raises(ValueError, match="0, or 1 and more"):
        MaskLossConfig(gamma=0.5)
