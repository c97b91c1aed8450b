"""The data sets of a benchmark: where they lie, who is learned from, who is scored."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from samplar.config.bench import BenchConfig, BenchSet
from samplar.errors import InputError, UsageError
from samplar.io.atomic import write_bytes
from samplar.io.dataset import Dataset, read_dataset
from samplar.io.splits import Split, read_split

FOLD_SEED = 0


@dataclass(frozen=True)
class Sides:
    """Which subjects exemplars may come from and which are scored, each with a digest.

    The digests are of names, subjects and sizes of files, and of what the data set says its label
    maps mean: that is quick, and sees files that were added, taken away or edited. The exemplars
    are compared by content besides.
    """

    pool: tuple[str, ...]
    scored: tuple[str, ...]
    pool_files: str
    scored_files: str

    @classmethod
    def of(cls, dataset: Dataset, pool: Collection[str], scored: Collection[str]) -> Sides:
        """Keep the labelled subjects of both sides, sorted."""
        labelled = {case.subject for case in dataset.labelled}
        sides = (tuple(sorted(labelled & set(pool))), tuple(sorted(labelled & set(scored))))
        return cls(*sides, *(_fingerprint(dataset, side) for side in sides))


@dataclass(frozen=True)
class Place:
    """One data set of the benchmark, read as far as its list of cases.

    Args:
        config: as it stands in the configuration.
        name: in the table and in file names.
        dataset: all its cases.
        sides: for each draw.
    """

    config: BenchSet
    name: str
    dataset: Dataset
    sides: dict[int, Sides]

    def split_file(self, folder: Path, draw: int) -> Path:
        """Write the sides of a draw as a split file, and return it."""
        sides = self.sides[draw]
        content = {self.dataset.name: {"pool": list(sides.pool), "test": list(sides.scored)}}
        data = json.dumps(content, indent=1).encode()
        path = folder / f"{slug(self.name)}-{hashlib.sha256(data).hexdigest()[:10]}.json"
        if not path.exists():
            write_bytes(path, data)
        return path


def read_places(config: BenchConfig, base: Path) -> list[Place]:
    """Find the cases of every data set.

    Args:
        config: the benchmark.
        base: the folder that paths start from.

    Raises:
        UsageError: `bench.variable`, `bench.config` for two sets of one name.
        InputError: what the readers refuse; `bench.folds`.
    """
    places = [_place(config, data, base) for data in config.datasets]
    names = [place.name for place in places]
    again = sorted({name for name in names if names.count(name) > 1})
    if again:
        raise UsageError(
            f"data sets called {', '.join(again)} more than once",
            fix="Give each a name of its own",
            code="bench.config",
        )
    return places


def located(text: str, base: Path) -> Path:
    """Return the path that a configuration means.

    Raises:
        UsageError: `bench.variable` for an environment variable that is not set.
    """
    expanded = os.path.expandvars(text)
    left = re.findall(r"\$\{?(\w+)\}?", expanded)
    if left:
        raise UsageError(
            f"{text} needs the environment variable {left[0]}, which is not set",
            fix=f"Set it, as in {left[0]}=/data samplar bench ...",
            code="bench.variable",
        )
    return (base / Path(expanded).expanduser()).absolute()


def slug(text: str) -> str:
    """Return a name for files: letters, digits, dot, dash and underscore."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "x"


def _place(config: BenchConfig, data: BenchSet, base: Path) -> Place:
    root = located(data.path, base)
    split = None if data.split is None else located(data.split, base)
    whole = read_dataset(root)
    everyone = Split(tuple(sorted({case.subject for case in whole.labelled})), ())
    known = (
        everyone
        if split is None
        else read_split(split, dataset=whole.name, subjects=whole.subjects)
    )
    if config.score == "test":
        by_draw = dict.fromkeys(config.draws, Sides.of(whole, known.pool, known.test))
    else:
        pool = [subject for subject in everyone.pool if subject in set(known.pool)]
        by_draw = dict(zip(config.draws, _folds(whole, pool, config.folds), strict=False))
    return Place(data, data.name or whole.name, whole, by_draw)


def _fingerprint(dataset: Dataset, subjects: Collection[str]) -> str:
    rows = [
        (case.id, case.subject, [path.stat().st_size for path in (*case.images, label)])
        for case in dataset.labelled
        if case.subject in subjects and (label := case.label) is not None
    ]
    whole = [dataset.labels.names, rows, *_meaning(dataset, subjects)]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


def _meaning(dataset: Dataset, subjects: Collection[str]) -> list[Any]:
    """Say what the label maps mean, as far as it is not plain; nothing where all of it is.

    Plain is that the k classes have the values 1 to k in all cases, and every slice is labelled.
    Digests of plain data sets are what they were before this was looked at, so that cells which
    were finished then still count.
    """
    labels = dataset.labels
    plain = {value: value for value in range(len(labels) + 1)}
    values = [] if labels.indices == plain else sorted(labels.indices.items())
    cases = [
        (case.id, case.listed, own.names, sorted(own.indices.items()))
        for case in dataset.labelled
        if case.subject in subjects
        and ((own := case.own_labels or labels) != labels or case.listed is not None)
    ]
    return [values, cases] if values or cases else []


def _folds(dataset: Dataset, pool: Sequence[str], count: int) -> list[Sides]:
    """Deal the pool subjects into parts of about equal size; each part is held back once."""
    if len(pool) < count:
        raise InputError(
            f"{len(pool)} pool subjects cannot be dealt into {count} folds",
            fix="Set folds to a smaller number",
            code="bench.folds",
            path=dataset.root,
        )
    order = np.random.default_rng(FOLD_SEED).permutation(len(pool))
    parts = [{pool[i] for i in order[n::count]} for n in range(count)]
    return [Sides.of(dataset, set(pool) - part, part) for part in parts]
