"""Made-up exemplars: textured squares with one ellipse per class on a circle."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from samplar.synthesis.samples import Samples


def _exemplar(*, side, height, width, classes, colour, random):
    channels = 3 if colour else 1
    image = gaussian_filter(random.random((channels, side, side)), (0, 1.5, 1.5))
    image = (image - image.min()) / (image.max() - image.min()) * 0.8 + 0.1
    labels = np.zeros((side, side), np.uint8)
    rows, columns = np.mgrid[:side, :side]
    for index in range(1, classes + 1):
        angle = 2 * math.pi * index / classes + random.uniform(-0.2, 0.2)
        row = height * (0.5 + 0.25 * math.sin(angle))
        column = width * (0.5 + 0.25 * math.cos(angle))
        spread = 0.3 if classes == 1 else 0.42 / classes
        inside = ((rows - row) / (height * spread)) ** 2 + (
            (columns - column) / (width * spread)
        ) ** 2 < 1
        labels[inside] = index
    valid = np.zeros((side, side), bool)
    valid[:height, :width] = True
    image[:, ~valid], labels[~valid] = 0, 0
    return np.broadcast_to(image, (3, side, side)).astype(np.float32), labels, valid


@pytest.fixture
def phantom() -> Callable[..., Samples]:
    """Return a maker of exemplars; `height` and `width` bound the valid part."""

    def make(*, count=2, side=48, height=None, width=None, classes=3, colour=False, seed=0):
        random = np.random.default_rng(seed)
        parts = [
            _exemplar(
                side=side,
                height=height or side,
                width=width or side,
                classes=classes,
                colour=colour,
                random=random,
            )
            for _ in range(count)
        ]
        return Samples(*(torch.from_numpy(np.stack(arrays)) for arrays in zip(*parts, strict=True)))

    return make


@pytest.fixture
def single() -> Callable[..., Samples]:
    """Return a maker of one exemplar from a (h, w) image and labels."""

    def make(image, labels, valid=None):
        image = torch.as_tensor(np.asarray(image, np.float32))
        labels = torch.as_tensor(np.asarray(labels, np.uint8))
        valid = torch.ones_like(labels, dtype=torch.bool) if valid is None else valid
        return Samples(image.expand(1, 3, -1, -1).clone(), labels[None], valid[None])

    return make
