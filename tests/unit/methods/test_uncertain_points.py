from __future__ import annotations

import numpy as np
import torch

from samplar.config.loss import MaskLossConfig
from samplar.methods.contract import Pass
from samplar.methods.uncertain_points import at_points, draw_points, read_labels, read_map
from samplar.training.passes import pass_loss


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def test_three_quarters_of_the_points_are_the_least_certain_of_three_times_as_many():
    ramp = torch.linspace(-8, 8, 64).expand(1, 1, 64, 64)
    logits = torch.cat([torch.zeros_like(ramp), ramp], dim=1)
    points = draw_points(logits, count=400, chance=chance())
    assert points.shape == (1, 400, 2)
    every = torch.rand(1, 1200, 2, generator=chance())
    doubt = (read_map(logits, every)[0, 1]).abs().numpy()
    kept = np.sort(np.argsort(doubt)[:300])
    chosen = {tuple(p) for p in points[0, :300].tolist()}
    assert chosen == {tuple(p) for p in every[0, kept].tolist()}
    assert (points[0, :300, 0] - 0.5).abs().max() < 0.2  # the middle of the ramp
    assert (points[0, 300:, 0] - 0.5).abs().max() > 0.4  # drawn anew, anywhere
    assert torch.equal(points, draw_points(logits, count=400, chance=chance()))
    assert not torch.equal(points, draw_points(logits, count=400, chance=chance(1)))


def test_maps_are_read_between_the_centres_of_pixels_and_labels_by_pixel():
    maps = torch.arange(12.0).view(1, 1, 3, 4)
    points = torch.tensor([[[0.125, 0.5 / 3], [0.25, 0.5 / 3], [0.875, 2.5 / 3], [1.0, 1.0]]])
    found = read_map(maps, points)[0, 0, :3]
    torch.testing.assert_close(found, torch.tensor([0.0, 0.5, 11.0]))
    labels = torch.arange(12).view(1, 3, 4)
    assert read_labels(labels, points).tolist() == [[0, 1, 11, 11]]


def test_the_loss_at_fixed_points_is_cross_entropy_plus_dice_of_each_mask():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(3, 1, 16, 16)).astype(np.float32)
    truth = generator.integers(0, 2, (3, 16, 16))
    whole = torch.cat([torch.zeros(3, 1, 16, 16), torch.from_numpy(logits)], dim=1)
    part = at_points(Pass(whole, torch.from_numpy(truth)), count=50, chance=chance())
    assert part.logits.shape == (3, 2, 50, 1)
    assert part.labels.shape == (3, 50, 1)
    config = MaskLossConfig(focal=2, alpha=0.5, gamma=0, dice_of="mask", quality=0)
    x, t = part.logits[:, 1, :, 0].double().numpy(), part.labels[..., 0].numpy()
    p = 1 / (1 + np.exp(-x))
    entropy = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(axis=1)
    dice = 1 - (2 * (p * t).sum(axis=1) + 1) / (p.sum(axis=1) + t.sum(axis=1) + 1)
    expected = float((entropy + dice).sum() / 3)
    assert abs(float(pass_loss(part, config)) - expected) < 1e-6


def test_what_is_not_labelled_stays_so():
    logits, labels = torch.zeros(1, 3, 8, 8), torch.full((1, 16, 16), 255).byte()
    part = at_points(Pass(logits, labels), count=20, chance=chance())
    assert (part.labels == 255).all()
