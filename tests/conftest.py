"""Fixtures for every test, and the run-time check of the array annotations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    from samplar.sam.model import Sam
    from samplar.synthesis.samples import Samples

# Before any of these is imported: their shapes in annotations become checks.
install_import_hook(
    ("samplar.sam", "samplar.methods", "samplar.training", "samplar.evaluation"),
    "beartype.beartype",
)


@pytest.fixture(scope="session", autouse=True)
def _one_core() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def tiny_sam() -> Sam:
    """Return the `tiny` SAM with its made-up weights, new for every test."""
    from samplar.sam.weights import load_sam

    return load_sam("tiny")


def phantom_arrays(
    *, count: int, height: int, width: int, classes: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw grey slices (n, 3, h, w) and labels (n, h, w): bright discs on noise, one per class."""
    chance = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    images = chance.uniform(0.0, 0.1, (count, height, width))
    labels = np.zeros((count, height, width), dtype=np.uint8)
    for n in range(count):
        for index in range(1, classes + 1):
            row = height * chance.uniform(0.35, 0.65)
            column = width * (index - 0.5 + chance.uniform(-0.1, 0.1)) / classes
            inside = np.hypot((rows - row) / height, (columns - column) / width) < 0.32 / classes
            images[n][inside] += 0.2 + 0.7 * index / classes
            labels[n][inside] = index
    return np.repeat(images[:, None], 3, axis=1).clip(0, 1).astype(np.float32), labels


@pytest.fixture
def phantoms() -> Callable[..., Samples]:
    """Return a maker of seeded square phantoms with discs of two classes, as training samples."""
    import torch

    from samplar.synthesis.samples import Samples

    def make(count: int = 2, *, size: int = 64, classes: int = 2, seed: int = 0) -> Samples:
        arrays = phantom_arrays(count=count, height=size, width=size, classes=classes, seed=seed)
        images, labels = (torch.from_numpy(a) for a in arrays)
        return Samples(images, labels, torch.ones_like(labels, dtype=torch.bool))

    return make
