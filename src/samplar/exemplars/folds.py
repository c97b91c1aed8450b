"""Exemplars dealt into folds by subject, so that each can be judged by those who never saw it."""

from __future__ import annotations

from samplar.exemplars.exemplar import ExemplarSet

FEWEST = 3
"""Exemplars below which nothing is left out: of two, one would teach and one would judge."""


def why_no_folds(exemplars: ExemplarSet) -> str:
    """Say why nothing can be left out, or nothing if something can."""
    count = len(exemplars)
    if count < FEWEST:
        what = "1 exemplar" if count == 1 else f"{count} exemplars"
        return f"{what}, and k < {FEWEST} leaves too few to hold some out"
    if len({e.subject for e in exemplars.exemplars}) < 2:
        return "all exemplars are of one subject, so that none can be held out"
    return ""


def subject_folds(exemplars: ExemplarSet, count: int) -> list[list[int]]:
    """Deal the numbers of the exemplars into at most `count` folds: subjects in order, in turn.

    Args:
        exemplars: such that `why_no_folds` has nothing to say.
        count: at least 2.
    """
    subjects = list(dict.fromkeys(e.subject for e in exemplars.exemplars))
    count = min(count, len(subjects))
    place = {subject: n % count for n, subject in enumerate(subjects)}
    folds: list[list[int]] = [[] for _ in range(count)]
    for number, exemplar in enumerate(exemplars.exemplars):
        folds[place[exemplar.subject]].append(number)
    return folds
