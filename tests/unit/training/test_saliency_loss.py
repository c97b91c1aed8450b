"""The loss of methods from salient object detection, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from samplar.config.loss import SaliencyLossConfig
from samplar.methods.contract import Pass
from samplar.methods.deep_supervision import supervised
from samplar.training.passes import pass_loss
from samplar.training.saliency_loss import saliency_loss, similarity
from samplar.types import IGNORE

ONLY = {"ce": 0.0, "iou": 0.0, "ssim": 0.0, "l1": 0.0}


def made(*, classes=1, seed=0, unknown=True):
    chance = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, classes + 1, 6, 9, generator=chance)
    labels = torch.randint(0, classes + 1, (2, 6, 9), generator=chance)
    if unknown:
        labels[0, :2] = IGNORE
    return logits, labels


def shares(logits):
    x = np.exp(logits.double().numpy())
    return x / x.sum(axis=1, keepdims=True)


def window_mean(x, weights, row, column):
    """Average around a pixel; beyond the border there are zeros."""
    padded = np.pad(x, 3)
    return (padded[row : row + 7, column : column + 7] * weights).sum()


def likeness(one, other):
    steps = np.exp(-(np.arange(-3, 4) ** 2) / (2 * 1.5**2))
    weights = np.outer(steps, steps) / steps.sum() ** 2
    out = np.zeros(one.shape)
    for place in np.ndindex(one.shape):
        m, n = window_mean(one, weights, *place), window_mean(other, weights, *place)
        v = window_mean(one * one, weights, *place) - m * m
        w = window_mean(other * other, weights, *place) - n * n
        c = window_mean(one * other, weights, *place) - m * n
        light = (2 * m * n + 1e-4) / (m * m + n * n + 1e-4)
        out[place] = light * (2 * c + 9e-4) / (v + w + 9e-4)
    return out


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("term", ["ce", "iou", "ssim", "l1"])
def test_every_term_is_what_its_formula_says(term, classes):
    logits, labels = made(classes=classes)
    chance, target = shares(logits), labels.numpy()
    known = target != IGNORE
    found = saliency_loss(logits, labels, SaliencyLossConfig(**(ONLY | {term: 1.0})))
    values = []
    if term == "ce":
        values = [-math.log(chance[n, target[n, i, j], i, j]) for n, i, j in np.argwhere(known)]
    for k in range(1, classes + 1) if term != "ce" else ():
        p, y = chance[:, k] * known, (target == k) * 1.0
        if term == "l1":
            values += list(np.abs(p - y)[known])
        for n in range(2) if term == "iou" else ():
            common = (p[n] * y[n]).sum()
            values.append(1 - common / (p[n].sum() + y[n].sum() - common))
        for n in range(2) if term == "ssim" else ():
            values += list(1 - likeness(p[n], y[n])[known[n]])
    assert float(found) == pytest.approx(np.mean(values), abs=1e-6)


def test_smoothing_is_added_to_both_parts():
    logits, labels = made(unknown=False)
    p, y = shares(logits)[:, 1], labels.numpy() == 1
    common, either = (p * y).sum(axis=(1, 2)), (np.maximum(p, y)).sum(axis=(1, 2))
    config = SaliencyLossConfig(**(ONLY | {"iou": 2.0, "smooth": 1.0}))
    expected = 2 * (1 - (common + 1) / (p.sum(axis=(1, 2)) + y.sum(axis=(1, 2)) - common + 1))
    assert (either >= common).all()
    assert float(saliency_loss(logits, labels, config)) == pytest.approx(expected.mean(), abs=1e-6)


def test_equal_maps_are_alike_everywhere():
    x = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(similarity(x, x), torch.ones_like(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("label", [0, IGNORE])
def test_nothing_predicted_where_nothing_is_has_finite_gradients(label):
    """Without smoothing the published IoU is 0 / 0 here."""
    logits = torch.zeros(1, 2, 6, 6)
    logits[:, 0] = 200  # its probability of foreground is 0 to the last bit
    logits.requires_grad_()
    labels = torch.full((1, 6, 6), label)
    saliency_loss(logits, labels, SaliencyLossConfig(l1=1.0)).backward()
    assert torch.isfinite(logits.grad).all()


def test_outputs_of_one_pass_are_compared_on_their_own_grids_and_weighted():
    logits, labels = made(unknown=False)
    coarse = logits[:, :, ::2, ::3].contiguous()
    config = SaliencyLossConfig()
    part = supervised(logits, [(0.5, coarse), (0.0, logits), (2.0, -logits)], labels)
    assert len(part.also) == 2
    expected = (
        pass_loss(Pass(logits, labels), config)
        + 0.5 * pass_loss(Pass(coarse, labels), config)
        + 2 * pass_loss(Pass(-logits, labels), config)
    )
    torch.testing.assert_close(pass_loss(part, config), expected)
