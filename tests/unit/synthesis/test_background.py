from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import binary_dilation, distance_transform_edt

from samplar.synthesis.background import HOLE_MARGIN, paint_out


def everywhere(side):
    return torch.ones(side, side, dtype=torch.bool)


def scene(side=64):
    """A slope with a bright disc as organ."""
    rows, columns = np.mgrid[:side, :side]
    image = 0.2 + 0.4 * columns / side
    labels = (((rows - 30) ** 2 + (columns - 34) ** 2) < 10**2).astype(np.uint8)
    image = np.where(labels, 0.95, image)
    return torch.from_numpy(image[None].astype(np.float32)), torch.from_numpy(labels)


def test_the_organ_becomes_the_continuation_of_its_surroundings():
    image, labels = scene()
    filled, empty = paint_out(image, labels, everywhere(64))
    assert (empty == 0).all()
    hole = labels > 0
    assert filled[0][hole].max() < 0.6
    columns = torch.arange(64).expand(64, 64)
    slope = 0.2 + 0.4 * columns / 64
    assert (filled[0] - slope)[hole].abs().max() < 0.08
    assert float((filled[0] - slope)[hole].mean().abs()) < 0.02


def test_only_the_widened_organ_changes():
    image, labels = scene()
    filled, _ = paint_out(image, labels, everywhere(64))
    hole = distance_transform_edt(labels.numpy() == 0) <= HOLE_MARGIN
    changed = (filled != image)[0].numpy()
    assert not changed[~hole].any()
    assert changed[hole].mean() > 0.99


def test_the_grain_is_that_of_the_ring():
    image, labels = scene()
    random = np.random.default_rng(3)
    noisy = image + torch.from_numpy(random.normal(0, 0.03, (1, 64, 64)).astype(np.float32))
    noisy = noisy.clamp(0, 1)
    filled, _ = paint_out(noisy, labels, everywhere(64))
    smooth, _ = paint_out(image, labels, everywhere(64))
    spread = float((filled - smooth)[0][labels > 0].std())
    assert 0.015 < spread < 0.045
    again, _ = paint_out(noisy, labels, everywhere(64))
    other, _ = paint_out(noisy, labels, everywhere(64), seed=1)
    assert torch.equal(filled, again)
    assert not torch.equal(filled, other)


def test_without_foreground_nothing_changes():
    image, labels = scene()
    filled, empty = paint_out(image, torch.zeros_like(labels), everywhere(64))
    assert torch.equal(filled, image)
    assert (empty == 0).all()


def test_without_surroundings_the_mean_is_used():
    image, labels = scene()
    filled, empty = paint_out(image, torch.ones_like(labels), everywhere(64))
    assert torch.allclose(filled, image.mean().expand_as(filled), atol=1e-5)
    assert (empty == 0).all()


def test_unlabelled_pixels_stay_unlabelled_and_are_not_painted():
    image, labels = scene()
    labels[:8, :8] = 255
    filled, empty = paint_out(image, labels, everywhere(64))
    assert set(empty.unique().tolist()) == {0, 255}
    assert torch.equal(empty == 255, labels == 255)
    assert torch.equal(filled[:, :8, :8], image[:, :8, :8])


def test_the_padding_is_neither_used_nor_changed():
    image, labels = scene()
    valid = everywhere(64)
    valid[:, 40:] = False
    image[:, :, 40:] = 0
    filled, _ = paint_out(image, labels, valid)
    assert (filled[:, :, 40:] == 0).all()
    near = binary_dilation((labels > 0).numpy(), iterations=2) & valid.numpy()
    assert filled[0].numpy()[near].min() > 0.2
