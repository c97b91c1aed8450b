"""The report of a results folder: one page, or tables for a page of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from samplar.api.bench.plan import places_of, plans_in
from samplar.api.bench.results import Results
from samplar.config.base import build, merged
from samplar.config.bench import FULL
from samplar.config.fit import fit_config
from samplar.errors import InputError, SamplarError
from samplar.evaluation.board import Board, Entry, Kind
from samplar.evaluation.cell import Cell, Key
from samplar.io.atomic import write_bytes
from samplar.methods.contract import Card, is_oracle
from samplar.methods.registry import cards, load_method
from samplar.report.bench.data import BenchData
from samplar.report.bench.overview import overview
from samplar.report.bench.page import render_bench
from samplar.report.bench.tables import column_name, markdown_table

COLUMNS_SHOWN = 2
"""Pictures of so many columns a data set are put into the page: of the first and of the last."""


def write_bench_report(folder: Path) -> Path:
    """Write report.html of a results folder and return it.

    Raises:
        InputError: `bench.no_plan`, `bench.cell`.
    """
    results = Results(folder)
    write_bytes(results.page, render_bench(bench_data(results)).encode())
    return results.page


def bench_markdown(folder: Path) -> str:
    """Return all data sets side by side, then each, as tables to be put into a page of text."""
    data = bench_data(Results(folder))
    parts = [_side_by_side(data)] if overview(data) else []
    for name in data.board.datasets:
        table = markdown_table(data, name).markdown()
        parts.append(f"**{name}**: mean DSC ± sd (HD95 in {data.unit(name)})\n\n{table}")
    return "\n".join(parts)


def overview_markdown(folder: Path) -> str:
    """Return only the tables that show all data sets side by side, empty where there is one set."""
    return _side_by_side(bench_data(Results(folder)))


def _side_by_side(data: BenchData) -> str:
    return "\n".join(table.markdown() for table in overview(data))


def bench_data(results: Results) -> BenchData:
    """Put together what the page shows: the cells of the newest plans."""
    plans = list(plans_in(results))
    if not plans:
        raise InputError(
            "there is no plan of a benchmark here",
            fix="Give the output folder of `samplar bench`",
            code="bench.no_plan",
            path=results.path,
        )
    cells, newest = results.read_cells(), plans[-1]["config"]
    board = Board(_entries(plans, cells), _kinds([plan["config"] for plan in plans]))
    methods, reference = board.methods, _reference([plan["config"] for plan in plans])
    return BenchData(
        title=results.path.absolute().name,
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        board=board,
        reference=reference if reference in methods else methods[0],
        side=newest["score"],
        protocol=newest["protocol"],
        facts=tuple(_facts(board, newest)),
        overlays=_pictures(results, board),
        notes=tuple(_notes(results, board, plans, cells)),
    )


def _reference(configs: Sequence[dict[str, Any]]) -> str:
    """Return what the newest configuration that says so compares with, or its first method."""
    named = [config["reference"] for config in configs if config["reference"] is not None]
    first = configs[-1]["methods"][0]
    return str(named[-1] if named else first["name"] or first["method"])


def _entries(plans: Sequence[dict[str, Any]], cells: dict[str, Cell]) -> tuple[Entry, ...]:
    """Return the places of all plans; where two plans disagree on a place, the newer holds."""
    names: dict[Key, str] = {}
    for plan in plans:
        names |= {key: name for name, key in places_of(plan)}
    return tuple(Entry(key, name, _named(cells.get(name), key)) for key, name in names.items())


def _named(cell: Cell | None, key: Key) -> Cell | None:
    """Call a cell what the plan calls it now: names in the table may change, results do not."""
    return None if cell is None else cell.model_copy(update={"key": key})


def _kinds(configs: Sequence[dict[str, Any]]) -> dict[str, Kind]:
    """Say what the methods are by their names in the table, where the newer configuration holds.

    Trivial ones need not be configured. Of a method that there is no more, its cells must tell.
    """
    known = cards()
    found = {name: Kind(trivial=True, trains=c.trains) for name, c in known.items() if c.trivial}
    for config in configs:
        for row in config["methods"]:
            if row["method"] in known:
                found[row["name"] or row["method"]] = _kind(known[row["method"]], row, config)
    return found


def _kind(card: Card, row: Mapping[str, Any], config: Mapping[str, Any]) -> Kind:
    """Say what a configured method is: whether it is an oracle, its settings may decide."""
    try:
        prompts = list(_prompts(row, config))
    except (SamplarError, ImportError):  # of another day or another machine: its card can be read
        prompts = [card.prompts]
    return Kind(oracle=any(map(is_oracle, prompts)), trivial=card.trivial, trains=card.trains)


def _prompts(row: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a configured method needs at test time, for every k that has its own settings."""
    method = load_method(row["method"])
    over = merged(config.get("settings", {}), row["settings"])  # which older plans do not have
    for at in ({}, *row.get("settings_at", {}).values()):
        values = {"dataset": ".", **merged(over, at)}
        made = fit_config(values, preset=row["preset"], method=method.defaults)
        yield method.prompted(build(method.config, made.method_config))


def _facts(board: Board, config: dict[str, Any]) -> list[str]:
    draws, seeds = len(config["draws"]), len(config["seeds"])
    scored = "test subjects" if config["score"] == "test" else "held-back pool subjects"
    return [
        f"{len(board.methods)} methods",
        f"{len(board.datasets)} data sets" if len(board.datasets) > 1 else board.datasets[0],
        f"{draws} draws of exemplars ({config['strategy']})"
        if draws > 1
        else "1 draw of exemplars",
        *([f"{seeds} seeds"] if seeds > 1 else []),
        f"scored on {scored}",
        f"protocol {config['protocol']}",
    ]


def _pictures(results: Results, board: Board) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for dataset in board.datasets:
        columns = [k for k in board.columns(dataset) if k != 0]
        shown = {0, *columns[:1], *columns[-1:]} if len(columns) > COLUMNS_SHOWN else {0, *columns}
        for entry in board.entries:
            wanted = entry.key.dataset == dataset and entry.key.k in shown
            if wanted and entry.cell is not None and entry.cell.overlay is not None:
                path = results.path / "overlays" / Path(entry.cell.overlay).name
                if path.is_file():
                    found[entry.name] = path.read_bytes()
    return found


def _notes(
    results: Results, board: Board, plans: Sequence[dict[str, Any]], cells: dict[str, Cell]
) -> list[str]:
    notes = []
    sides = {plan["config"]["score"] for plan in plans}
    if sides == {"pool"}:
        notes.append(
            "Scored on held-back subjects of the pool, to choose settings by; not a test result."
        )
    if len(sides) > 1:
        notes.append("Some of these cells are scored on the pool and some on test subjects.")
    protocols = sorted({plan["config"]["protocol"] for plan in plans})
    if len(protocols) > 1:
        named = " and some by ".join(f"protocol {name}" for name in protocols)
        notes.append(f"Some of these cells are scored by {named}; such scores do not compare.")
    waiting = sum(entry.cell is None for entry in board.entries)
    if waiting:
        notes.append(f"{waiting} of {len(board.entries)} cells are not computed yet.")
    old = len(cells.keys() - {entry.name for entry in board.entries})
    if old:
        notes.append(f"{old} cells of earlier settings are in the folder and not shown.")
    if capped := sorted({plan["config"]["full_slices"] or 0 for plan in plans} - {0}):
        notes.append(
            f"{column_name(FULL)}: at most {capped[-1]} slices of the pool, drawn at random."
        )
    again = _scored_again(results)
    if again:
        notes.append(f"{again} cells were scored on test subjects more than once; see the log.")
    return notes


def _scored_again(results: Results) -> int:
    digests = [row["digest"] for row in results.read_scorings()]
    return sum(digests.count(digest) > 1 for digest in set(digests))
