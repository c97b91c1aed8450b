from __future__ import annotations

import numpy as np
import pytest

from samplar.evaluation.expected import expected_dsc, expected_errors, gaps


def sums(shares, labels, classes):
    """Add up (n, k + 1, h, w) probabilities, class by class and slice by slice."""
    rows = range(1, classes + 1)
    predicted = np.stack([(labels == k).sum((1, 2)) for k in rows], axis=1)
    inside = np.stack([(shares[:, k] * (labels == k)).sum((1, 2)) for k in rows], axis=1)
    return predicted, inside, shares[:, 1:].sum((2, 3))


@pytest.fixture
def shares():
    chance = np.random.default_rng(0)
    logits = chance.normal(0, 2, (5, 3, 40, 40)) + np.array([1.0, 0.0, -0.5])[:, None, None]
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def test_it_is_the_mean_dice_over_truths_drawn_by_the_probabilities(shares):
    labels, chance = shares.argmax(1), np.random.default_rng(1)
    found = expected_dsc(*sums(shares, labels, 2))
    dice = []
    for _ in range(40):
        truth = (shares.cumsum(1) < chance.uniform(size=(5, 1, 40, 40))).sum(1)
        both = [((labels == k) & (truth == k)).sum() for k in (1, 2)]
        sizes = [(labels == k).sum() + (truth == k).sum() for k in (1, 2)]
        dice.append(200 * np.array(both) / sizes)
    np.testing.assert_allclose(found, np.mean(dice, axis=0), atol=0.5)


def test_certain_probabilities_expect_a_perfect_score(shares):
    labels = shares.argmax(1)
    certain = np.eye(3)[labels].transpose(0, 3, 1, 2)
    assert expected_dsc(*sums(certain, labels, 2)) == [100.0, 100.0]
    assert not expected_errors(*sums(certain, labels, 2)).any()


def test_nothing_is_expected_of_a_class_that_was_not_found(shares):
    labels = np.where(shares.argmax(1) == 2, 0, shares.argmax(1))
    found = expected_dsc(*sums(shares, labels, 2))
    assert found[0] is not None
    assert found[1] is None


def test_the_slice_with_more_doubt_has_more_expected_errors(shares):
    shares[3] = 1 / 3
    errors = expected_errors(*sums(shares, shares.argmax(1), 2))
    assert errors.argmax() == 3
    assert errors[3] == pytest.approx(2 * 1600 / 3)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([0, 3, 4, 2, 0], []),
        ([0, 3, 0, 2, 0], [(1, 3)]),
        ([5, 0, 0, 1, 0, 9], [(0, 3), (3, 5)]),
        ([0, 0], []),
    ],
)
def test_gaps_are_between_slices_that_have_the_class(counts, expected):
    assert gaps(np.array(counts)) == expected
