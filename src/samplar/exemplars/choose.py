"""Which labelled slices become exemplars: the same candidates and seed give the same choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from samplar.errors import InputError, UsageError

Strategy = Literal["random", "most-classes", "diverse"]

FEWEST = 8
"""A pick is made among at least this many slices, if there are as many."""


@dataclass(frozen=True)
class Candidate:
    """A labelled slice that may be chosen.

    Args:
        case: id of the case.
        subject: the patient it is from.
        slice: slice number along the slicing axis, in file order, from 0.
        pixels_per_class: pixels of class 1, 2, ... k in the slice.
    """

    case: str
    subject: str
    slice: int
    pixels_per_class: tuple[int, ...]

    @property
    def classes(self) -> frozenset[int]:
        """The class indices present."""
        return frozenset(i for i, n in enumerate(self.pixels_per_class, start=1) if n > 0)


def choose(
    candidates: Sequence[Candidate],
    k: int,
    *,
    strategy: Strategy,
    seed: int,
    embeddings: np.ndarray | None = None,
) -> list[Candidate]:
    """Choose k different slices with foreground; the order of the candidates does not matter.

    Args:
        candidates: the labelled slices.
        k: how many to choose.
        strategy: `random`: spread over subjects first (a smaller k is the start of a larger one);
            `most-classes`: each next slice adds the most classes not seen yet, then has the most
            classes, then is of a subject not yet used, then shows each class at its largest;
            `diverse`: slices that together look most like all slices, class by class (the mean over
            the slices that show a class of the cosine to the closest chosen one that shows it too,
            summed over classes, by stochastic greedy, Mirzasoleiman et al., Lazier than lazy
            greedy, 2015: each pick is the best of a random half), of new subjects first, covering
            every class.
        seed: of every random draw and of ties.
        embeddings: (n, d), one row a candidate, for `diverse`.

    Raises:
        UsageError: `exemplars.k`, `exemplars.strategy` or `exemplars.embeddings`.
        InputError: `exemplars.too_few` when fewer than k slices have foreground.
    """
    order = _usable(candidates, k)
    slices = [candidates[i] for i in order]
    generator = np.random.default_rng(seed)
    if strategy == "random":
        chosen = _random(slices, k, generator)
    elif strategy == "most-classes":
        chosen = _most_classes(slices, k, generator)
    elif strategy == "diverse":
        points = _checked_embeddings(embeddings, len(candidates))[order]
        chosen = _diverse(slices, k, generator, points)
    else:
        raise UsageError(
            f"{strategy!r} is not a way to choose exemplars",
            fix="Use random, most-classes or diverse",
            code="exemplars.strategy",
        )
    return [slices[i] for i in chosen]


def _usable(candidates: Sequence[Candidate], k: int) -> list[int]:
    """Return the positions of the distinct slices with foreground, sorted by case and slice."""
    if k < 1:
        raise UsageError(f"k = {k}", fix="Ask for at least one exemplar", code="exemplars.k")
    distinct = {(c.case, c.slice): i for i, c in enumerate(candidates) if c.classes}
    if len(distinct) < k:
        raise InputError(
            f"{k} exemplars asked, but {len(distinct)} of {len(candidates)} labelled slices"
            " have foreground",
            fix="Label more slices or ask for fewer",
            code="exemplars.too_few",
        )
    return [distinct[key] for key in sorted(distinct)]


def _random(slices: Sequence[Candidate], k: int, generator: np.random.Generator) -> list[int]:
    of_subject: dict[str, list[int]] = {}
    for i in generator.permutation(len(slices)):
        of_subject.setdefault(slices[i].subject, []).append(int(i))
    subjects = [sorted(of_subject)[i] for i in generator.permutation(len(of_subject))]
    rounds = max(map(len, of_subject.values()))
    dealt = [of_subject[s][r] for r in range(rounds) for s in subjects if r < len(of_subject[s])]
    return dealt[:k]


def _most_classes(slices: Sequence[Candidate], k: int, generator: np.random.Generator) -> list[int]:
    ties = generator.permutation(len(slices))
    balance = _area_balance(slices)
    chosen: list[int] = []
    for _ in range(k):
        seen = frozenset[int]().union(*(slices[i].classes for i in chosen))
        subjects = {slices[i].subject for i in chosen}
        left = (i for i in range(len(slices)) if i not in chosen)
        chosen.append(
            max(
                left,
                key=lambda i: (
                    len(slices[i].classes - seen),
                    len(slices[i].classes),
                    slices[i].subject not in subjects,
                    balance[i],
                    ties[i],
                ),
            )
        )
    return chosen


def _area_balance(slices: Sequence[Candidate]) -> list[float]:
    """Return how large each slice shows its worst-shown class, relative to the largest there is."""
    areas = np.array([candidate.pixels_per_class for candidate in slices], dtype=float)
    share = areas / np.maximum(areas.max(axis=0), 1)
    return [float(row[row > 0].min()) for row in share]


def _diverse(
    slices: Sequence[Candidate], k: int, generator: np.random.Generator, points: np.ndarray
) -> list[int]:
    """Pick by stochastic greedy on the coverage of each class by the chosen slices that show it."""
    unit = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    similar = unit @ unit.T
    shown = np.array([candidate.pixels_per_class for candidate in slices]) > 0
    weight = shown / np.maximum(shown.sum(axis=0), 1)  # every class counts the same
    covered = np.full(shown.shape, -1.0)

    def with_one_more(i: int) -> np.ndarray:
        return np.where(shown[i], np.maximum(covered, similar[i][:, None]), covered)

    missing = frozenset[int]().union(*(candidate.classes for candidate in slices))
    chosen: list[int] = []
    for left in range(k, 0, -1):
        pool = _preferred(slices, chosen, missing, left)
        pool = generator.permutation(pool)[: max(FEWEST, -(-len(pool) // 2))].tolist()
        pick = max(pool, key=lambda i: float((weight * with_one_more(i)).sum()))
        covered = with_one_more(pick)
        missing -= slices[pick].classes
        chosen.append(pick)
    return chosen


def _preferred(
    slices: Sequence[Candidate], chosen: list[int], missing: frozenset[int], left: int
) -> list[int]:
    """Return what may be picked next: new subjects first, and missing classes once it is time."""
    pool = [i for i in range(len(slices)) if i not in chosen]
    if missing and left <= _picks_to_cover(missing, [slices[i] for i in pool]):
        most = max(len(slices[i].classes & missing) for i in pool)
        return [i for i in pool if len(slices[i].classes & missing) == most]
    used = {slices[i].subject for i in chosen}
    return [i for i in pool if slices[i].subject not in used] or pool


def _picks_to_cover(missing: frozenset[int], slices: Sequence[Candidate]) -> int:
    """Return how many slices a greedy cover of the missing classes takes."""
    picks = 0
    while missing:
        missing -= max((candidate.classes & missing for candidate in slices), key=len)
        picks += 1
    return picks


def _checked_embeddings(embeddings: np.ndarray | None, count: int) -> np.ndarray:
    if embeddings is None or embeddings.ndim != 2 or len(embeddings) != count:
        found = "none" if embeddings is None else str(embeddings.shape)
        raise UsageError(
            f"diverse needs one embedding a slice, ({count}, d); found {found}",
            fix="Give the embeddings, or use most-classes",
            code="exemplars.embeddings",
        )
    return np.asarray(embeddings, dtype=np.float64)
