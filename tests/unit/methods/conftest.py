from __future__ import annotations

import pytest
import torch

from samplar.methods.contract import Batch


@pytest.fixture
def batch(tiny_sam, phantoms):
    """Return a maker of batches of phantoms as a method is given them."""

    def make(count=2, *, classes=2, seed=0):
        samples = phantoms(count, classes=classes, seed=seed)
        with torch.no_grad():
            embedding = tiny_sam.encode(samples.images)
        return Batch(samples.images, embedding, samples.labels, classes)

    return make
