from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from samplar.evaluation.ranks import rank_correlation


def test_it_is_scipys_with_and_without_ties():
    chance = np.random.default_rng(0)
    for count in (3, 10, 40):
        one = chance.normal(size=count)
        other = one + chance.normal(size=count)
        tied = chance.integers(0, 3, count) + np.arange(count) // 2
        for second in (other, tied):
            found = rank_correlation(one.tolist(), second.astype(float).tolist())
            assert found == pytest.approx(spearmanr(one, second).statistic)


def test_it_is_one_for_any_rising_relation():
    assert rank_correlation([1.0, 2.0, 3.0, 10.0], [0.1, 0.2, 5.0, 6.0]) == pytest.approx(1)
    assert rank_correlation([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]) == pytest.approx(-1)


def test_too_few_or_equal_values_have_none():
    assert rank_correlation([1.0, 2.0], [1.0, 2.0]) is None
    assert rank_correlation([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]) is None


def test_equal_values_in_the_first_list_have_none_either():
    assert rank_correlation([5.0, 5.0, 5.0], [1.0, 2.0, 3.0]) is None
