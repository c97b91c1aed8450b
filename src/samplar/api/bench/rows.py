"""The methods of a benchmark as complete settings, with the trivial ones that always belong."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samplar.api.settle import settled
from samplar.config.base import build, merged
from samplar.config.bench import FULL, BenchConfig, BenchMethod, BenchSet, K
from samplar.config.fit import FitConfig, fit_config
from samplar.errors import UsageError
from samplar.methods.contract import Method, remember_nothing
from samplar.methods.registry import cards, load_method

UNUSED_K = 1
"""Stands in the settings of a fit whose exemplars are listed in a file."""


@dataclass(frozen=True)
class Row:
    """One method of the table.

    Args:
        config: as configured.
        method: loaded.
        added: whether it was not configured, but is trivial.
    """

    config: BenchMethod
    method: Method
    added: bool = False

    @property
    def shown(self) -> str:
        """The name in the table."""
        return self.config.shown

    @property
    def blind(self) -> bool:
        """Whether the method looks at no exemplar: one cell a data set says everything."""
        return not self.method.card.trains and self.method.remember is remember_nothing

    @property
    def defaults(self) -> dict[str, Any]:
        """The defaults of the method's own settings, as JSON has them."""
        return _plain_defaults(self.method)

    def settings(self, bench: BenchConfig, data: BenchSet, k: K, seed: int) -> FitConfig:
        """Return the complete settings of one fit; data set, split and exemplars come later.

        Raises:
            UsageError: `config.invalid`.
        """
        own = self.config
        over = merged(merged(bench.settings, own.settings), own.settings_at.get(k, {}))
        values: dict[str, Any] = {
            "dataset": Path(data.path),
            "k": UNUSED_K,
            "method": own.method,
            "weights": own.weights or bench.weights,
            "plane": data.plane,
            "intensity": data.intensity,
            "channels": data.channels,
            "seed": seed,
            "device": bench.device,
            **({} if own.size is None else {"size": own.size}),
        }
        made = fit_config(merged(values, over), preset=own.preset, method=self.method.defaults)
        whole = build(self.method.config, made.method_config, path=f"{self.shown}: method_config")
        made = made.model_copy(update={"method_config": json.loads(whole.model_dump_json())})
        exemplars = bench.full_slices if k == FULL else k
        return made if exemplars is None else settled(self.method, made, exemplars)[0]

    def prompted(self, config: FitConfig) -> str:
        """Say what the method needs at test time."""
        return self.method.prompted(build(self.method.config, config.method_config))


def rows_of(bench: BenchConfig) -> list[Row]:
    """Load the methods, and add the trivial ones that are missing, seen as the first one is.

    Raises:
        UsageError: every method that is unknown or has wrong settings, all in one line.
    """
    rows: list[Row] = []
    problems: list[UsageError] = []

    def add(configs: Iterable[BenchMethod], *, added: bool) -> None:
        for config in configs:
            try:
                row = Row(config, load_method(config.method), added=added)
                for k in {k for data in bench.datasets for k in bench.counts(data)}:
                    row.settings(bench, bench.datasets[0], k, seed=0)
                rows.append(row)
            except UsageError as error:
                problems.append(error)

    add(bench.methods, added=False)
    if not problems:
        add(_missing(bench, rows[0]), added=True)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise UsageError(
            "; ".join(f"{error.problem} ({error.fix})" for error in problems),
            fix="Correct these methods",
            code="config.invalid",
        )
    return rows


def default_settings(name: str) -> dict[str, Any]:
    """Return the defaults of a method's own settings; none if there is no such method any more."""
    return _plain_defaults(load_method(name)) if name in cards() else {}


def _plain_defaults(method: Method) -> dict[str, Any]:
    fields = method.config.model_fields.items()
    given = {n: f.get_default(call_default_factory=True) for n, f in fields if not f.is_required()}
    return json.loads(method.config.model_construct(**given).model_dump_json())


def _missing(bench: BenchConfig, first: Row) -> Iterable[BenchMethod]:
    """Return the trivial methods that are not configured, which see what the first one sees."""
    configured = {method.method for method in bench.methods}
    data, own = bench.datasets[0], first.config
    size = first.settings(bench, data, bench.counts(data)[0], seed=0).size
    for name, card in cards().items():
        if card.trivial and name not in configured:
            yield BenchMethod(method=name, preset=own.preset, size=size, weights=own.weights)
