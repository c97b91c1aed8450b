from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samplar.errors import InputError, UsageError
from samplar.exemplars.choose import Candidate, choose


def candidate(name, number, *pixels):
    return Candidate(f"case {name}", name[0], number, pixels)


def slices(*rows):
    """One candidate a row: subject, then pixels of each class; the row number is the slice."""
    return [candidate(row[0], i, *row[1:]) for i, row in enumerate(rows)]


def numbers(chosen):
    return [c.slice for c in chosen]


MANY = [candidate(f"s{i % 5}", i, i % 3, (i + 1) % 2) for i in range(40)]
MANY = [Candidate(c.case, f"s{i % 5}", c.slice, c.pixels_per_class) for i, c in enumerate(MANY)]


@pytest.mark.parametrize("strategy", ["random", "most-classes", "diverse"])
@given(st.integers(1, 30), st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
def test_choice_is_k_distinct_slices_with_foreground_whatever_the_order(strategy, k, seed, rng):
    def run(candidates):
        points = np.array([[c.slice % 7, c.slice] for c in candidates], dtype=float)
        return choose(candidates, k, strategy=strategy, seed=seed, embeddings=points)

    chosen = run(MANY)
    assert len({(c.case, c.slice) for c in chosen}) == k
    assert all(sum(c.pixels_per_class) > 0 for c in chosen)
    shuffled = list(MANY)
    rng.shuffle(shuffled)
    assert run(shuffled) == chosen


def test_random_takes_every_subject_once_before_any_twice():
    chosen = choose(MANY, 10, strategy="random", seed=3)
    assert set(Counter(c.subject for c in chosen[:5]).values()) == {1}
    assert set(Counter(c.subject for c in chosen).values()) == {2}


def test_random_goes_on_when_a_subject_has_no_more_slices():
    few = slices(("a", 1), ("b", 1), ("b", 1), ("b", 1))
    chosen = choose(few, 4, strategy="random", seed=0)
    assert sorted(numbers(chosen)) == [0, 1, 2, 3]


def test_random_with_smaller_k_is_the_start_of_a_larger_choice():
    large = choose(MANY, 20, strategy="random", seed=7)
    for k in (1, 4, 12):
        assert choose(MANY, k, strategy="random", seed=7) == large[:k]


def test_random_depends_on_the_seed_and_reaches_every_slice():
    firsts = {choose(MANY, 1, strategy="random", seed=seed)[0].slice for seed in range(400)}
    assert firsts == {c.slice for c in MANY if c.classes}


def test_most_classes_first_then_what_is_missing_then_new_subjects_then_area():
    found = choose(
        slices(
            ("a", 9, 9, 9, 0),  # most classes
            ("b", 9, 9, 0, 0),
            ("a", 0, 0, 0, 1),  # the only one with class 4
            ("a", 9, 9, 9, 0),
            ("b", 5, 5, 5, 0),  # as many classes as 3, new subject
        ),
        4,
        strategy="most-classes",
        seed=0,
    )
    assert numbers(found)[0] in {0, 3}
    assert numbers(found)[1:3] == [2, 4]
    assert set(numbers(found)) == {0, 3, 2, 4}


def test_most_classes_prefers_the_slice_that_shows_its_smallest_class_best():
    balanced = slices(("a", 900, 1), ("a", 500, 10), ("a", 1000, 2))
    assert numbers(choose(balanced, 1, strategy="most-classes", seed=0)) == [1]


def test_most_classes_breaks_exact_ties_by_the_seed():
    same = slices(*[("a", 5)] * 6)
    firsts = {choose(same, 1, strategy="most-classes", seed=seed)[0].slice for seed in range(60)}
    assert firsts == set(range(6))


def diverse(candidates, k, points, seed=0):
    return numbers(
        choose(candidates, k, strategy="diverse", seed=seed, embeddings=np.array(points, float))
    )


def test_diverse_takes_one_of_each_kind():
    points = [[1, 0, 0], [1, 0.1, 0], [0, 1, 0], [0, 1, 0.1], [0, 0, 1], [0.1, 0, 1]]
    for seed in range(10):
        chosen = diverse(slices(*[("a", 1)] * 6), 3, points, seed)
        assert sorted(number // 2 for number in chosen) == [0, 1, 2]


def test_diverse_covers_every_class_even_if_it_is_in_the_middle_of_the_crowd():
    rows = slices(("a", 5, 0), ("a", 5, 0), ("a", 5, 0), ("a", 5, 1))
    points = [[0, 0], [100, 0], [0, 100], [50, 50]]
    for seed in range(10):
        assert 3 in diverse(rows, 2, points, seed)


def test_diverse_covers_what_it_can_when_k_is_too_small():
    rows = slices(("a", 1, 0, 0), ("a", 0, 1, 1), ("a", 1, 0, 0))
    assert diverse(rows, 1, [[0.0], [1], [9]]) == [1]


def test_diverse_leaves_out_empty_slices():
    rows = slices(("a", 0), ("a", 1), ("a", 1), ("a", 1))
    chosen = diverse(rows, 2, [[9, 9], [1, 0], [1, 0.1], [0, 1]])
    assert sorted(chosen) in ([1, 3], [2, 3])


def test_diverse_prefers_the_typical_slice_to_the_outlier():
    crowd = [[1, 0.01 * n] for n in range(7)]
    assert diverse(slices(*[("a", 1)] * 8), 1, [*crowd, [-1, 0]]) != [7]


def test_diverse_wants_each_class_where_it_looks_different():
    """Class 2 has two looks, class 1 one: both slices show both classes, though 0 is typical."""
    rows = slices(*[("a", 1, 0)] * 6, ("a", 1, 1), ("a", 1, 1))
    points = [[1, 0.01 * n] for n in range(6)] + [[1, 1], [1, -1]]
    for seed in range(10):
        assert sorted(diverse(rows, 2, points, seed)) == [6, 7]


def test_diverse_takes_new_subjects_first():
    rows = slices(("a", 1), ("a", 1), ("a", 1), ("b", 1))
    assert 3 in diverse(rows, 2, [[1, 0], [0, 1], [1, 1], [1, 0]])


def test_diverse_draws_differ_by_seed():
    points = np.random.default_rng(0).normal(size=(40, 3))
    chosen = {tuple(diverse(MANY, 2, points, seed)) for seed in range(6)}
    assert len(chosen) > 1


@pytest.mark.parametrize("points", [None, np.zeros(40), np.zeros((39, 2))])
def test_diverse_without_one_embedding_a_slice_is_refused(points):
    with pytest.raises(UsageError) as caught:
        choose(MANY, 2, strategy="diverse", seed=0, embeddings=points)
    assert caught.value.code == "exemplars.embeddings"
    assert "(40, d)" in caught.value.problem


def test_too_many_wanted_is_refused_with_the_numbers():
    rows = slices(("a", 1), ("a", 0), ("b", 2))
    with pytest.raises(InputError, match="3 exemplars asked, but 2 of 3 labelled slices"):
        choose(rows, 3, strategy="random", seed=0)
    with pytest.raises(InputError, match="but 0 of 0"):
        choose([], 1, strategy="random", seed=0)


def test_the_same_slice_twice_counts_once():
    rows = slices(("a", 1), ("b", 2))
    assert len(choose(rows * 2, 2, strategy="random", seed=0)) == 2
    with pytest.raises(InputError):
        choose(rows * 2, 3, strategy="random", seed=0)


@pytest.mark.parametrize(
    ("k", "strategy", "code"), [(0, "random", "exemplars.k"), (1, "best", "exemplars.strategy")]
)
def test_impossible_requests_are_refused(k, strategy, code):
    with pytest.raises(UsageError) as caught:
        choose(MANY, k, strategy=strategy, seed=0)
    assert caught.value.code == code
