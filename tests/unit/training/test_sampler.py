from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from samplar.training.sampler import balanced_indices, batch_order


def exemplars(*classes):
    labels = torch.zeros(len(classes), 4, 4, dtype=torch.uint8)
    for n, shown in enumerate(classes):
        for column, index in enumerate(shown):
            labels[n, 1, column] = index
    return labels


def drawn(labels, classes, count, seed=0):
    return balanced_indices(labels, classes, count, torch.Generator().manual_seed(seed))


def test_half_of_the_draws_go_round_all_exemplars():
    found = drawn(exemplars([1], [], [1], [2]), 2, 80)
    assert found[::2] == [0, 1, 2, 3] * 10


def test_the_other_half_goes_round_the_classes():
    # class 2 is in one exemplar of ten; class 3 in none
    labels = exemplars(*[[1]] * 9, [2])
    found = drawn(labels, 3, 400)[1::2]
    assert found[1::2] == [9] * 100
    assert set(found[::2]) == set(range(9))
    assert max(Counter(found[::2]).values()) < 30


def test_unlabelled_pixels_are_no_class():
    labels = exemplars([1], [255])
    assert drawn(labels, 255 - 1, 40)[1::2] == [0] * 20


def test_without_any_foreground_every_exemplar_takes_its_turn():
    found = drawn(exemplars([], [], []), 2, 30)
    assert set(found) == {0, 1, 2}


def test_the_generator_decides():
    labels = exemplars([1], [1], [1, 2], [2])
    assert drawn(labels, 2, 50, seed=1) == drawn(labels, 2, 50, seed=1)
    assert drawn(labels, 2, 50, seed=1) != drawn(labels, 2, 50, seed=2)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 30))
def test_an_epoch_shows_every_row_once(rows, batch, steps):
    generator = torch.Generator().manual_seed(3)
    batches = batch_order(rows, batch=batch, step=steps, seed_generator=generator)
    assert [len(b) for b in batches] == [batch] * steps
    flat = torch.cat(batches).tolist()
    for start in range(0, len(flat), rows):
        epoch = flat[start : start + rows]
        assert len(set(epoch)) == len(epoch)
        assert set(epoch) <= set(range(rows))


def test_epochs_are_shuffled_each_in_its_own_way():
    generator = torch.Generator().manual_seed(3)
    flat = torch.cat(batch_order(50, batch=10, step=15, seed_generator=generator))
    epochs = [tuple(e.tolist()) for e in flat.view(3, 50)]
    assert len({*epochs, tuple(range(50))}) == 4


@pytest.mark.parametrize("steps", [5, 9])
def test_a_longer_run_begins_like_a_shorter_one(steps):
    short, long = (
        batch_order(7, batch=3, step=n, seed_generator=torch.Generator().manual_seed(0))
        for n in (steps, 20)
    )
    assert all(torch.equal(a, b) for a, b in zip(short, long, strict=False))
