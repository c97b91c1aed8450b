from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from monai.metrics import compute_dice, compute_iou

from samplar.evaluation.overlap import Overlap, overlap


def test_counts_by_hand():
    prediction = np.array([[1, 1, 0], [1, 0, 0]], dtype=bool)
    truth = np.array([[0, 1, 1], [1, 1, 1]], dtype=bool)

    counts = overlap(prediction, truth)

    assert counts == Overlap(shared=2, predicted=3, true=5)
    assert counts.dsc == pytest.approx(50.0)
    assert counts.iou == pytest.approx(100 * 2 / 6)


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_monai(blob, seed):
    prediction, truth = blob(seed), blob(seed + 100)
    counts = overlap(prediction, truth)
    batch = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (prediction, truth)]

    assert counts.dsc / 100 == pytest.approx(float(compute_dice(*batch)), abs=1e-6)
    assert counts.iou / 100 == pytest.approx(float(compute_iou(*batch)), abs=1e-6)


def test_dice_and_iou_are_tied(blob):
    counts = overlap(blob(1), blob(2))

    assert counts.dsc == pytest.approx(200 * counts.iou / (100 + counts.iou))


def test_counts_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Overlap(shared=1, predicted=1, true=1).shared = 2
