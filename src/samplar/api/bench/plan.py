"""From a configuration to cells: which there are, which are finished, what each is called."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from samplar.api.bench.data import Place, slug
from samplar.api.bench.results import Results
from samplar.api.bench.rows import Row, default_settings
from samplar.config.bench import FULL, BenchConfig, K
from samplar.config.fit import FitConfig
from samplar.evaluation.cell import Cell, Key, decisive, settings_digest
from samplar.io.atomic import whole_files, write_bytes
from samplar.methods.fitting import check_encoder
from samplar.sam.cards import WeightsCard
from samplar.sam.weights import find_card


@dataclass(frozen=True)
class Planned:
    """A cell that the configuration asks for.

    Args:
        key: where it stands in the table.
        place: its data set.
        method: the name of its method, which the name in the table need not be.
        trivial: whether that is a trivial baseline.
        prompted: what it needs at test time.
        k: how many exemplars are given to it; `full` for all.
        config: settings of its fit; data set, split and exemplars are still to be filled in.
        settings: all that decides its result.
        digest: of these settings: equal digests are one cell.
    """

    key: Key
    place: Place
    method: str
    trivial: bool
    prompted: str
    k: K
    config: FitConfig
    settings: dict[str, Any]
    digest: str

    @property
    def name(self) -> str:
        """The name of its file, without suffix."""
        return (
            f"{slug(self.key.dataset)}--{slug(self.key.method)}--{self._drawn}--{self.digest[:10]}"
        )

    @property
    def pool(self) -> str:
        """A name that it shares with the cells whose training images may be the same."""
        return f"{slug(self.key.dataset)}--{self._drawn}"

    @property
    def _drawn(self) -> str:
        return f"k{self.key.k}-d{self.key.draw}-s{self.key.seed}"


def plan(bench: BenchConfig, places: list[Place], rows: list[Row]) -> list[Planned]:
    """Return every cell, draw by draw; in each draw k by k, and for each k all methods on all sets.

    A bench takes hours; wherever it is stopped, the table of the draws so far is whole.

    Raises:
        UsageError: `methods.plain_vit`, for a method that its weights are not fit for.
    """
    counts = [(place, bench.counts(place.config)) for place in places]
    most = max(len(ks) for _, ks in counts)
    columns = [
        (place, k) for number in range(most) for place, ks in counts for k in ks[number:][:1]
    ]
    names = {bench.weights, *(row.config.weights for row in rows if row.config.weights)}
    weights = {name: find_card(name) for name in names}
    for row in rows:
        check_encoder(row.method.card, weights[row.config.weights or bench.weights])
    return [
        _planned(bench, place, row, (k, draw, seed), weights)
        for number in range(len(bench.draws))
        for place, k in columns
        for draw in bench.draws_for(k)[number:][:1]
        for row in rows
        for seed in bench.seeds
        if _needed(bench, place, row, (k, draw, seed))
    ]


def _needed(bench: BenchConfig, place: Place, row: Row, cell: tuple[K, int, int]) -> bool:
    """Leave out what is not asked for, and what could only repeat another cell."""
    k, draw, seed = cell
    if row.config.k is not None and k not in row.config.k:
        return False
    if seed != bench.seeds[0] and not row.method.card.trains:
        return False  # nothing is drawn
    if not row.blind:
        return True
    first = k == bench.counts(place.config)[0]
    return first and (bench.score == "pool" or draw == bench.draws[0])


def _planned(
    bench: BenchConfig,
    place: Place,
    row: Row,
    cell: tuple[K, int, int],
    weights: Mapping[str, WeightsCard],
) -> Planned:
    k, draw, seed = cell
    config = row.settings(bench, place.config, k, seed)
    sides, base = place.sides[draw], weights[config.weights]
    looked = bench.strategy == "diverse" and k != FULL
    settings = {
        "fit": decisive(config),
        "weights": {"sha256": base.sha256, "like": base.like},
        "choice": {
            "strategy": bench.strategy,
            "k": k,
            "draw": draw,
            "full_slices": bench.full_slices if k == FULL else None,
            "weights": weights[bench.weights].sha256 if looked else None,
        },
        "pool": sides.pool_files,
        "scored": {"side": bench.score, "files": sides.scored_files},
        "scoring": {"protocol": bench.protocol, "tolerance": bench.tolerance},
    }
    key = Key.model_validate(
        {
            "dataset": place.name,
            "method": row.shown,
            "k": 0 if row.blind else k,
            "draw": draw,
            "seed": seed,
        }
    )
    card = row.method.card
    return Planned(
        key=key,
        place=place,
        method=card.name,
        trivial=card.trivial,
        prompted=row.prompted(config),
        k=k,
        config=config,
        settings=settings,
        digest=settings_digest(settings, row.defaults),
    )


def finished(cells: Mapping[str, Cell]) -> dict[str, str]:
    """Return the names of the cells that have scores, by the digest of their settings today."""
    known: dict[str, dict[str, Any]] = {}
    found: dict[str, str] = {}
    for name, cell in cells.items():
        if cell.failure is None:
            if cell.method not in known:
                known[cell.method] = default_settings(cell.method)
            found[settings_digest(cell.settings, known[cell.method])] = name
    return found


def write_plan(
    results: Results, name: str, bench: BenchConfig, places: Sequence[tuple[str, Key]]
) -> None:
    """Write which cells belong to this configuration now, for the report.

    Args:
        results: the folder.
        name: of the configuration file; another file may have its cells in the same folder.
        bench: the configuration.
        places: of the table, each with the name of the file of its cell, finished or not; one cell
            may stand at several, and these then have a list of their own beside the cells.
    """
    keys = [(cell, json.loads(key.model_dump_json())) for cell, key in places]
    content: dict[str, Any] = {
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": json.loads(bench.model_dump_json()),
        "cells": dict(keys),
    }
    if len(content["cells"]) < len(keys):
        content["places"] = keys
    path = results.area("plans") / f"{slug(name)}.json"
    write_bytes(path, (json.dumps(content, indent=1) + "\n").encode())


def plans_in(results: Results) -> Iterator[dict[str, Any]]:
    """Yield the plans in a folder, the oldest first."""
    files = [json.loads(path.read_bytes()) for path in _plan_files(results.path)]
    yield from sorted(files, key=lambda content: content["written"])


def places_of(content: Mapping[str, Any]) -> list[tuple[str, Key]]:
    """Return the places of a plan in order, each with the name of the file of its cell."""
    listed = content.get("places") or content["cells"].items()
    return [(name, Key.model_validate(key)) for name, key in listed]


def _plan_files(folder: Path) -> list[Path]:
    return whole_files(folder / "plans", "*.json")
