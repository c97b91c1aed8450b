"""The cells of a benchmark as a table: what stands at a data set, a method and a k."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import TypeVar

import numpy as np
from jaxtyping import Float64

from samplar.evaluation.cell import Cell, Key
from samplar.evaluation.scores import Metric
from samplar.evaluation.statistics import Difference, ScoreArray, paired_difference, ranks

T = TypeVar("T")

Column = int | str
"""A number of exemplars; 0 for methods that look at none, `full` for the whole pool."""


@dataclass(frozen=True)
class Entry:
    """A place in the table: its key, the name of its file, and the cell once it is computed."""

    key: Key
    name: str
    cell: Cell | None


@dataclass(frozen=True)
class Kind:
    """What a method is, as far as that is known before any of its cells is computed.

    Args:
        oracle: whether it reads the truth of what it is scored on.
        trivial: whether it is a trivial baseline.
        trains: whether it does; one that does not draws nothing, and has no seeds but the first.
    """

    oracle: bool = False
    trivial: bool = False
    trains: bool = True


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n - 1) over cells; None where there is nothing to take it of."""

    mean: float | None
    std: float | None
    count: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread:
        """Take it over the values that are defined."""
        known = [value for value in values if value is not None]
        mean = fmean(known) if known else None
        return cls(mean, stdev(known) if len(known) > 1 else None, len(known))


@dataclass(frozen=True)
class Board:
    """All places of a benchmark.

    Args:
        entries: in the order of the plan.
        kinds: of methods by their name in the table; of others only their cells tell.
    """

    entries: tuple[Entry, ...]
    kinds: Mapping[str, Kind] = field(default_factory=dict)

    @property
    def datasets(self) -> list[str]:
        """The data sets, in the order of the configuration."""
        return list(dict.fromkeys(entry.key.dataset for entry in self.entries))

    @property
    def methods(self) -> list[str]:
        """The methods, in the order of the configuration, trivial ones that were added last."""
        return list(dict.fromkeys(entry.key.method for entry in self.entries))

    @property
    def cells(self) -> list[Cell]:
        """The cells that have scores."""
        return [e.cell for e in self.entries if e.cell is not None and e.cell.evaluation]

    def columns(self, dataset: str) -> list[Column]:
        """Return the numbers of exemplars on a data set, ascending, the whole pool last."""
        found = {entry.key.k for entry in self.entries if entry.key.dataset == dataset}
        return sorted(found, key=lambda k: k if isinstance(k, int) else math.inf)

    def places(self, dataset: str, method: str, k: Column) -> list[Entry]:
        """Return the draws and seeds at one place of the table, finished or not."""
        wanted = (dataset, method, k)
        keys = ((e, (e.key.dataset, e.key.method, e.key.k)) for e in self.entries)
        return [entry for entry, key in keys if key == wanted]

    def done(self, dataset: str, method: str, k: Column) -> list[Cell]:
        """Return the cells there that have scores."""
        cells = [entry.cell for entry in self.places(dataset, method, k)]
        return [cell for cell in cells if cell is not None and cell.evaluation is not None]

    def spread(self, dataset: str, method: str, k: Column, metric: Metric = "dsc") -> Spread:
        """Return mean and spread over draws and seeds of the mean over classes."""
        return Spread.of(
            getattr(cell.evaluation.mean, metric)
            for cell in self.done(dataset, method, k)
            if cell.evaluation is not None
        )

    def kind(self, method: str) -> Kind:
        """Return what is known of a method beforehand."""
        return self.kinds.get(method, Kind())

    def is_oracle(self, method: str) -> bool:
        """Tell whether a method reads the truth of what it is scored on, in any of its cells."""
        return self.kind(method).oracle or any(cell.oracle for cell in self._computed(method))

    def is_trivial(self, method: str) -> bool:
        """Tell whether a method is a trivial baseline."""
        return self.kind(method).trivial or any(cell.trivial for cell in self._computed(method))

    def _computed(self, method: str) -> Iterator[Cell]:
        """Yield the cells of a method, finished or failed."""
        yield from (e.cell for e in self.entries if e.key.method == method and e.cell is not None)

    def level(self, dataset: str, k: Column) -> set[str]:
        """Return the methods whose means at a column are of the same draws and seeds.

        These are the draws and seeds that most methods have, oracles aside unless there is nothing
        else; of several that as many have, the largest set. A method that is ahead of the others
        is not level with them. Of a method that does not train the draws alone must agree.
        Nothing is level where that leaves several sets of one size.
        """
        done = self._finished(dataset, k)
        draws = {method: {draw for draw, _ in places} for method, places in done.items()}
        judges = [method for method in done if not self.is_oracle(method)] or list(done)
        widest = _commonest([draws[method] for method in judges])
        alike = [method for method in done if draws[method] == widest]
        seeded = [method for method in alike if self.kind(method).trains]
        fullest = _commonest([done[method] for method in seeded if method in judges])
        if widest is None or fullest is None:
            return set()
        return {method for method in alike if method not in seeded or done[method] == fullest}

    def fair(self, dataset: str, k: Column) -> list[str]:
        """Return the methods that compete at a column: those that are level, without oracles."""
        level = self.level(dataset, k)
        return [method for method in self.methods if method in level and not self.is_oracle(method)]

    def _finished(self, dataset: str, k: Column) -> dict[str, set[tuple[int, int]]]:
        """Return draws and seeds of the cells of a column that have scores, by method."""
        found: dict[str, set[tuple[int, int]]] = {}
        for cell in self.cells:
            if (cell.key.dataset, cell.key.k) == (dataset, k):
                found.setdefault(cell.key.method, set()).add((cell.key.draw, cell.key.seed))
        return found

    def compared(self, dataset: str, k: Column) -> dict[str, float]:
        """Return the mean DSC of every method that competes at a column and is whole there."""
        found: dict[str, float] = {}
        for method in self.fair(dataset, k):
            places = self.places(dataset, method, k)
            mean = self.spread(dataset, method, k).mean
            if len(self.done(dataset, method, k)) == len(places) and mean is not None:
                found[method] = mean
        return found

    def difference(self, dataset: str, k: Column, method: str, other: str) -> Difference | None:
        """Return how far `method` is above `other`, paired; None where they share no draw."""
        mine, theirs = self.done(dataset, method, k), self.done(dataset, other, k)
        draws = sorted({c.key.draw for c in mine} & {c.key.draw for c in theirs})
        if not draws:
            return None
        return paired_difference(*score_arrays(mine, theirs, draws))

    def mean_ranks(self) -> dict[str, tuple[float, int]]:
        """Return each method's mean rank over the columns in which all methods are whole.

        Oracles take no part. The second number is over how many columns it was taken.
        """
        fair = [m for m in self.methods if not self.is_oracle(m)]
        found: dict[str, list[float]] = {}
        for dataset in self.datasets:
            for k in self.columns(dataset):
                means = self.compared(dataset, k)
                if set(means) == set(fair):
                    for method, rank in ranks(means).items():
                        found.setdefault(method, []).append(rank)
        return {method: (fmean(values), len(values)) for method, values in found.items()}


def _commonest(found: Sequence[set[T]]) -> set[T] | None:
    """Return the set that occurs most often, of several the largest; None where that is not one.

    Of no sets it is the empty one.
    """
    counts = Counter(map(frozenset, found))
    worth = {one: (count, len(one)) for one, count in counts.items()}
    best = [one for one in worth if worth[one] == max(worth.values())]
    if not best:
        return set()
    return set(best[0]) if len(best) == 1 else None


def score_arrays(
    first: Sequence[Cell], second: Sequence[Cell], draws: Sequence[int]
) -> tuple[
    Float64[np.ndarray, "draws s subjects classes"], Float64[np.ndarray, "draws t subjects classes"]
]:
    """Put the DSC of two methods into arrays whose draws, subjects and classes agree.

    A draw may score subjects of its own, so those of other draws have no place in the arrays.
    """
    first, second = ([c for c in cells if c.key.draw in draws] for cells in (first, second))
    both = [cell.evaluation for cell in (*first, *second) if cell.evaluation is not None]
    subjects = sorted({subject for evaluation in both for subject in evaluation.per_subject})
    classes = list(both[0].per_class)
    return _array(first, draws, subjects, classes), _array(second, draws, subjects, classes)


def _array(
    cells: Sequence[Cell], draws: Sequence[int], subjects: Sequence[str], classes: Sequence[str]
) -> ScoreArray:
    seeds = sorted({cell.key.seed for cell in cells})
    found = np.full((len(draws), len(seeds), len(subjects), len(classes)), np.nan)
    for cell in cells:
        if cell.evaluation is None:
            continue
        d, r = draws.index(cell.key.draw), seeds.index(cell.key.seed)
        for subject, result in cell.evaluation.per_subject.items():
            row = [result.per_class[name].dsc for name in classes]
            found[d, r, subjects.index(subject)] = [np.nan if v is None else v for v in row]
    return found
