"""What a benchmark compares: data sets, methods, numbers of exemplars, draws, seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from samplar.config.base import Strict, nearest
from samplar.errors import UsageError

FULL: Literal["full"] = "full"

K = int | Literal["full"]

Count = Annotated[int, Field(ge=1, le=10_000, strict=True)] | Literal["full"]
"""How many exemplars; `full`: every labelled slice that exemplars may come from."""

Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]

OF_THE_CELL = frozenset(
    {"dataset", "split", "k", "strategy", "exemplars", "method", "preset", "seed", "device"}
    | {"plane", "intensity", "channels", "weights", "size"}
)
"""Settings of a fit that the benchmark sets itself, or that have a place of their own."""


class BenchSet(Strict):
    """One data set."""

    path: str = Field(min_length=1)
    """Its folder, from the folder of the configuration; `$NAME` is an environment variable."""
    name: str | None = None
    split: str | None = None
    """JSON of subjects; without one all subjects are pool, and only `score: pool` is possible."""
    k: tuple[Count, ...] | None = Field(default=None, min_length=1)
    """Instead of the benchmark's own, where the pool is small."""
    plane: Literal["auto", "axial", "coronal", "sagittal"] = "auto"
    intensity: str = "auto"
    channels: tuple[int, ...] | None = None


class BenchMethod(Strict):
    """One row of the table."""

    method: str
    name: str | None = None
    preset: Literal["fast", "standard", "paper"] = "standard"
    """Never `auto`: what is compared must not depend on the machine."""
    size: int | None = None
    weights: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    """Any settings of a fit, nested."""
    settings_at: dict[Count, dict[str, Any]] = Field(default_factory=dict)
    """Settings that go before `settings` at one k."""
    k: tuple[Count, ...] | None = Field(default=None, min_length=1)
    """Only at these; none: at every k of the benchmark."""

    @property
    def shown(self) -> str:
        """The name in the table."""
        return self.name or self.method


class BenchConfig(Strict):
    """A benchmark: every method on every data set, for every k, draw and seed."""

    datasets: tuple[BenchSet, ...] = Field(min_length=1)
    methods: tuple[BenchMethod, ...] = Field(min_length=1)
    k: tuple[Count, ...] = Field(default=(1, 4, FULL), min_length=1)
    full_slices: int | None = Field(default=None, ge=1)
    """At most so many slices at `full`, drawn at random; none: all of them."""
    strategy: Literal["random", "most-classes", "diverse"] = "diverse"
    draws: tuple[Seed, ...] = Field(default=(0, 1, 2), min_length=1)
    """Seeds of the choice of exemplars; every method gets the same exemplars."""
    draws_at: dict[Count, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """Only the first so many draws at one k."""
    seeds: tuple[Seed, ...] = Field(default=(0,), min_length=1)
    """Of everything random in a fit."""
    weights: str = "lite-medsam"
    settings: dict[str, Any] = Field(default_factory=dict)
    """Settings of a fit, nested, for every row; those of a row go before them."""
    score: Literal["test", "pool"] = "test"
    """pool: held-back pool subjects are scored in place of test subjects, to choose settings."""
    folds: int = Field(default=3, ge=2, le=20)
    """Parts of the pool for `score: pool`; the n-th draw holds back the n-th."""
    protocol: Literal["strict", "samed"] = "strict"
    tolerance: float = Field(default=2.0, ge=0)
    reference: str | None = None
    """The method that others are compared with; none: the first."""
    device: str = "auto"

    @property
    def base_weights(self) -> list[str]:
        """The names of all base weights that it needs."""
        own = (method.weights for method in self.methods)
        return sorted({self.weights, *(name for name in own if name is not None)})

    def counts(self, data: BenchSet) -> tuple[K, ...]:
        """Return the numbers of exemplars for a data set."""
        return self.k if data.k is None else data.k

    def draws_for(self, k: K) -> tuple[int, ...]:
        """Return the draws at one k; the whole pool can be drawn in one way only."""
        if k == FULL and self.full_slices is None and self.score == "test":
            return self.draws[:1]
        return self.draws[: self.draws_at.get(k, len(self.draws))]


def check_bench(config: BenchConfig) -> BenchConfig:
    """Return the configuration if its parts fit together.

    Raises:
        UsageError: `bench.config`, with everything that does not.
    """
    problems = list(_problems(config))
    if problems:
        raise UsageError("; ".join(problems), fix="Correct the configuration", code="bench.config")
    return config


def _problems(config: BenchConfig) -> Iterator[str]:
    names = [method.shown for method in config.methods]
    yield from _repeated("methods called", names)
    yield from _repeated("data sets called", [d.name for d in config.datasets if d.name])
    for word, values in (("draws", config.draws), ("seeds", config.seeds), ("k", config.k)):
        yield from _repeated(word, values)
    if config.reference is not None and config.reference not in names:
        guess = nearest(config.reference, names)
        yield f"reference {config.reference!r} is no method of this benchmark{guess}"
    for data in config.datasets:
        if data.split is None and config.score == "test":
            yield f"{data.path} has no split, and score is test: say which subjects are test"
    if config.score == "pool" and len(config.draws) > config.folds:
        yield f"{len(config.draws)} draws need as many folds, not {config.folds}"
    tables = {"the benchmark": [config.settings]}
    tables |= {m.shown: [m.settings, *m.settings_at.values()] for m in config.methods}
    for whose, given in tables.items():
        strange = sorted({key for table in given for key in table} & OF_THE_CELL)
        if strange:
            yield f"{whose}: {', '.join(strange)} cannot stand under settings"


def _repeated(what: str, values: Iterable[object]) -> Iterator[str]:
    again = [str(value) for value, count in Counter(values).items() if count > 1]
    if again:
        yield f"{what} {', '.join(again)} more than once"
