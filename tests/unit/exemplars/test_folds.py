from __future__ import annotations

import numpy as np
import pytest

from samplar.exemplars.exemplar import Exemplar, ExemplarSet
from samplar.exemplars.folds import subject_folds, why_no_folds
from samplar.io.labels import LabelSet


def of_subjects(*subjects):
    image, labels = np.zeros((3, 4, 4), np.float32), np.zeros((4, 4), np.uint8)
    made = [
        Exemplar.of(case=f"c{n}", subject=subject, number=n, image=image, labels=labels)
        for n, subject in enumerate(subjects)
    ]
    return ExemplarSet.of(made, LabelSet(("disc",), (1,)))


@pytest.mark.parametrize(
    ("subjects", "count", "expected"),
    [
        ("abcd", 2, [[0, 2], [1, 3]]),
        ("abcd", 16, [[0], [1], [2], [3]]),
        ("aabca", 2, [[0, 1, 3, 4], [2]]),
        ("aab", 3, [[0, 1], [2]]),
    ],
)
def test_no_subject_is_on_both_sides(subjects, count, expected):
    exemplars = of_subjects(*subjects)
    assert why_no_folds(exemplars) == ""
    folds = subject_folds(exemplars, count)
    assert folds == expected
    for fold in folds:
        inside = {subjects[n] for n in fold}
        assert inside.isdisjoint(s for n, s in enumerate(subjects) if n not in fold)


def test_it_says_why_nothing_can_be_held_out():
    assert "1 exemplar, and k < 3" in why_no_folds(of_subjects("a"))
    assert "2 exemplars, and k < 3" in why_no_folds(of_subjects("a", "b"))
    assert "of one subject" in why_no_folds(of_subjects("a", "a", "a"))
