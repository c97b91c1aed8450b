from __future__ import annotations

import numpy as np
import torch

from samplar.methods.certainty import averaged, distance_from_half, entropy, surer

CLASSES = 3


def shares(seed=0):
    chance = np.random.default_rng(seed)
    return torch.from_numpy(chance.dirichlet(np.ones(CLASSES), (2, 4, 5)).transpose(0, 3, 1, 2))


def test_entropy_by_hand():
    even, sure = torch.full((1, 4, 2, 2), 0.25), torch.zeros(1, 4, 2, 2)
    sure[:, 1] = 1
    torch.testing.assert_close(entropy(even), torch.log(torch.tensor([4.0])))
    assert entropy(sure).abs() < 1e-6
    given = shares().numpy()
    expected = -(given * np.log(given)).sum(axis=1).mean(axis=(1, 2))
    np.testing.assert_allclose(entropy(shares()), expected, atol=1e-6)


def test_distance_from_one_half_by_hand():
    given = torch.zeros(1, 2, 1, 4)
    given[0, 1, 0] = torch.tensor([0.2, 0.3, 0.4, 0.6])  # scaled: 0, 1/4, 1/2, 1
    torch.testing.assert_close(distance_from_half(given), torch.tensor([(0.5 + 0.25 + 0.5) / 4]))


def test_the_average_is_that_of_probabilities():
    first, second = (torch.from_numpy(np.log(shares(n).numpy())) for n in (0, 1))
    found = averaged(first, second).softmax(dim=1)
    torch.testing.assert_close(found, ((shares(0) + shares(1)) / 2).float())


def test_the_surer_answer_is_taken_image_by_image_and_the_raw_one_only_if_it_is_surer():
    doubtful = torch.zeros(1, 2, 2, 2)
    doubtful[:, 1] = torch.tensor([[0.0, 0.4], [0.5, 1.0]])
    sharp = torch.zeros(1, 2, 2, 2)
    sharp[:, 1] = torch.tensor([[-9.0, -9.0], [9.0, 9.0]])
    raw, augmented = torch.cat([sharp, doubtful]), torch.cat([doubtful, sharp])
    for by_entropy in (True, False):
        found = surer(raw, augmented, by_entropy=by_entropy)
        assert torch.equal(found, torch.cat([sharp, sharp]))
    other = doubtful.flip(-1)  # as sure, and not the same
    for by_entropy in (True, False):
        assert torch.equal(surer(doubtful, other, by_entropy=by_entropy), other)
