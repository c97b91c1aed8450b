from __future__ import annotations

import math

import pytest
import torch
from scipy.special import expit

from samplar.methods.mask_weights import fit_weights, mask_loss, weighted


def test_the_first_mask_gets_what_is_left():
    masks = torch.tensor([[1.0, 10.0, 100.0]]).view(1, 3, 1, 1)
    whole = weighted(masks, torch.tensor([[0.5, 0.2]]))
    assert whole.shape == (1, 1, 1, 1)
    assert whole.item() == pytest.approx(0.3 * 1 + 0.5 * 10 + 0.2 * 100)


def test_the_loss_by_hand():
    logits, truth = torch.tensor([[2.0, -1.0]]), torch.tensor([[True, False]])
    p, q = expit(2.0), expit(-1.0)
    dice = 1 - (2 * p + 1) / (p + q + 1 + 1)
    focal = (0.25 * (1 - p) ** 2 * -math.log(p) + 0.75 * q**2 * -math.log(1 - q)) / 2
    found = mask_loss(logits, truth, torch.ones_like(truth))
    assert float(found) == pytest.approx(dice + focal, abs=1e-6)


def test_unknown_pixels_do_not_count_and_images_count_the_same():
    logits = torch.randn(2, 40, generator=torch.Generator().manual_seed(0))
    truth, known = logits.roll(3) > 0, torch.ones(2, 40, dtype=torch.bool)
    known[:, 30:] = False
    part = mask_loss(logits[:, :30], truth[:, :30], known[:, :30])
    torch.testing.assert_close(mask_loss(logits, truth, known), part)
    singles = [mask_loss(*(t[i : i + 1] for t in (logits, truth, known))) for i in range(2)]
    torch.testing.assert_close(torch.stack(singles).mean(), part)
    none = torch.zeros_like(known)
    assert torch.isfinite(mask_loss(logits, truth, none))


def masks_where(right, *, seed=0):
    """Return three masks of which one is right, and the truth."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.rand(1, 400, generator=generator) < 0.3
    masks = torch.randn(1, 3, 400, generator=generator)
    masks[0, right] = torch.where(truth[0], 3.0, -3.0)
    return masks, truth, torch.ones_like(truth)


@pytest.mark.parametrize("right", [0, 1, 2])
def test_the_mask_that_is_right_gains(right):
    weights = fit_weights(*masks_where(right), steps=300, rate=1e-2)
    whole = torch.cat([1 - weights.sum()[None], weights])
    assert int(whole.argmax()) == right
    assert whole[right] > 0.6


def test_no_steps_no_change_and_one_result():
    given = masks_where(1)
    assert fit_weights(*given, steps=0, rate=1e-3).tolist() == pytest.approx([1 / 3, 1 / 3])
    once, again = (fit_weights(*given, steps=20, rate=1e-3) for _ in range(2))
    assert torch.equal(once, again)
    assert not once.requires_grad


def test_the_first_step_by_hand():
    """AdamW's first step is the rate against the sign of the gradient, after the decay."""
    weights = fit_weights(*masks_where(1), steps=1, rate=1e-3)
    moved = weights - (1 - 1e-3 * 0.01) / 3
    assert moved[0] > 0.9e-3  # eps is 1e-4, so a little less than the rate
    assert moved.abs().max() <= 1e-3 + 1e-8


def test_works_where_gradients_are_off():
    with torch.no_grad():
        weights = fit_weights(*masks_where(2), steps=5, rate=1e-3)
    assert weights[1] > 1 / 3
