from __future__ import annotations

import pytest
import torch

from samplar.errors import UsageError
from samplar.methods import copy_nearest
from samplar.methods.contract import Batch
from samplar.sam.precision import autocast


def test_an_exemplar_is_given_its_own_labels(adapted, phantoms, taught):
    samples = phantoms(5)
    samples.labels[3, :4] = 255
    model = taught(adapted("copy-nearest"), samples)
    turned = torch.tensor([3, 1, 4, 0, 2])
    images = samples.images[turned]
    logits = model(model.prefix(images), images)
    expected = samples.labels[turned].masked_fill(samples.labels[turned] == 255, 0)
    assert torch.equal(logits.argmax(1), expected.long())
    assert logits.softmax(1).amax(1).min() > 0.999


def test_brightness_of_the_embedding_does_not_matter(tiny_sam):
    chance = torch.Generator().manual_seed(0)
    embedding = torch.randn(3, 32, 8, 8, generator=chance)
    labels = torch.arange(3, dtype=torch.uint8).view(3, 1, 1).expand(3, 32, 32)
    images = torch.zeros(3, 3, 32, 32)
    config = copy_nearest.Config()
    memory = copy_nearest.remember(tiny_sam, config, Batch(images, embedding, labels, 2))
    asked = Batch(images, 7 * embedding.flip(0), None, 2)
    found = copy_nearest.logits(tiny_sam, config, asked, memory).argmax(1)
    assert found[:, 0, 0].tolist() == [2, 1, 0]


def test_half_precision_does_not_confuse_exemplars_that_are_alike(tiny_sam):
    chance = torch.Generator().manual_seed(0)
    common = torch.randn(1, 32, 8, 8, generator=chance)
    own = torch.randn(9, 32, 8, 8, generator=chance)
    embedding = common + 0.02 * own  # cosines of about 0.9996; bf16 has steps of 0.004 there
    labels = torch.arange(9, dtype=torch.uint8).view(9, 1, 1).expand(9, 32, 32)
    images, config = torch.zeros(9, 3, 32, 32), copy_nearest.Config()
    memory = copy_nearest.remember(tiny_sam, config, Batch(images, embedding, labels, 8))
    with autocast("bf16", torch.device("cpu")):
        found = copy_nearest.logits(tiny_sam, config, Batch(images, embedding, None, 8), memory)
    assert found.argmax(1)[:, 0, 0].tolist() == list(range(9))


def test_needs_labels(tiny_sam):
    batch = Batch(torch.zeros(1, 3, 32, 32), torch.zeros(1, 32, 8, 8), None, 2)
    with pytest.raises(UsageError) as caught:
        copy_nearest.remember(tiny_sam, copy_nearest.Config(), batch)
    assert caught.value.code == "methods.labels"
