"""Made-up exemplars: smooth tissue with one ellipse per class, sized like abdominal organs."""

from __future__ import annotations

import math

import numpy as np
import torch

from samplar.synthesis.samples import Samples


def exemplars(side: int, *, classes: int, count: int = 4) -> Samples:
    """Return grey exemplars, all channels the same, every pixel valid."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side] / side
    images, labels = [], []
    for _ in range(count):
        image = 0.3 + 0.05 * random.standard_normal((side, side))
        label = np.zeros((side, side), np.uint8)
        for index in range(1, classes + 1):
            angle = 2 * math.pi * index / classes
            row, column = 0.5 + 0.25 * math.sin(angle), 0.5 + 0.25 * math.cos(angle)
            inside = ((rows - row) / 0.12) ** 2 + ((columns - column) / 0.09) ** 2 < 1
            label[inside], image[inside] = index, image[inside] + 0.1 * index
        images.append(torch.from_numpy(image.clip(0, 1).astype(np.float32)).expand(3, -1, -1))
        labels.append(torch.from_numpy(label))
    valid = torch.ones(count, side, side, dtype=torch.bool)
    return Samples(torch.stack(images), torch.stack(labels), valid)
