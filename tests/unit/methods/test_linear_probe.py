from __future__ import annotations

import numpy as np
import pytest
import torch

from samplar.errors import UsageError
from samplar.methods import linear_probe
from samplar.methods.contract import Batch


def batch(labels, seed=0):
    embedding = torch.randn(2, 5, 4, 4, generator=torch.Generator().manual_seed(seed))
    return Batch(torch.zeros(2, 3, 16, 16), embedding, labels, 2)


def random_labels():
    labels = np.random.default_rng(0).integers(0, 3, (2, 16, 16)).astype(np.uint8)
    labels[0, :4, :8] = 255  # two whole cells
    labels[1, 0, :3] = 255  # three pixels of one cell and no more
    return labels


def ridge_by_hand(embedding, labels, ridge):
    rows, targets = [], []
    for n in range(2):
        for i in range(4):
            for j in range(4):
                cell = labels[n, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4]
                known = cell[cell != 255]
                if known.size <= 8:
                    continue
                rows.append([*embedding[n, :, i, j], 1.0])
                targets.append([(known == k).mean() for k in range(3)])
    x, y = np.array(rows, np.float64), np.array(targets)
    gram = x.T @ x
    gram += ridge * np.diag(gram).mean() * np.eye(6)
    return np.linalg.solve(gram, x.T @ y), len(rows)


@pytest.mark.parametrize("ridge", [0.1, 3.0])
def test_the_weights_are_those_of_ridge_regression_in_numpy(tiny_sam, ridge):
    labels = random_labels()
    given = batch(torch.from_numpy(labels))
    found = linear_probe.remember(tiny_sam, linear_probe.Config(ridge=ridge), given)
    expected, used = ridge_by_hand(given.embedding.numpy(), labels, ridge)
    assert used == 30
    np.testing.assert_allclose(found["weight"].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_logits_are_the_regression_in_every_cell(tiny_sam):
    given = batch(None, seed=4)
    weight = torch.randn(6, 3, generator=torch.Generator().manual_seed(5))
    found = linear_probe.logits(tiny_sam, linear_probe.Config(), given, {"weight": weight})
    cell = torch.cat([given.embedding[1, :, 2, 3], torch.ones(1)])
    torch.testing.assert_close(found[1, :, 2, 3], 10 * (cell @ weight), rtol=1e-5, atol=1e-5)


def test_finds_a_class_that_the_features_show(tiny_sam):
    labels = torch.zeros(2, 16, 16, dtype=torch.uint8)
    labels[:, 4:8] = 1
    labels[:, 8:] = 2
    embedding = torch.zeros(2, 5, 4, 4)
    embedding[:, 0, 1] = 1
    embedding[:, 1, 2:] = 1
    given = Batch(torch.zeros(2, 3, 16, 16), embedding, labels, 2)
    config = linear_probe.Config(ridge=1e-6)
    memory = linear_probe.remember(tiny_sam, config, given)
    found = linear_probe.logits(tiny_sam, config, given, memory).argmax(1)
    assert torch.equal(found[0], torch.tensor([[0] * 4, [1] * 4, [2] * 4, [2] * 4]))


def test_needs_labels(tiny_sam):
    with pytest.raises(UsageError) as caught:
        linear_probe.remember(tiny_sam, linear_probe.Config(), batch(None))
    assert caught.value.code == "methods.labels"
