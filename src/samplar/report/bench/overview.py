"""All data sets of a benchmark side by side."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from samplar.evaluation.board import Column
from samplar.report.bench.data import BenchData
from samplar.report.bench.tables import column_name, leads, methods_on, score
from samplar.report.tables import Cell, Table, number

MEAN = "mean"


def overview(data: BenchData) -> list[Table]:
    """Return a table for each number of exemplars that several data sets have, k ascending."""
    named = {k: [d for d in data.board.datasets if k in data.board.columns(d)] for k in _ks(data)}
    tables = (_side_by_side(data, k, names) for k, names in named.items() if len(names) > 1)
    return [table for table in tables if table.rows]


def _side_by_side(data: BenchData, k: Column, datasets: Sequence[str]) -> Table:
    """Put the DSC of every data set, and their mean, into one row for each method.

    A mean is taken only of methods that are level with most others on all of these sets, or it
    would be of other sets and other draws than the mean below it.
    """
    board = data.board
    found = {
        m: {d: board.spread(d, m, k).mean for d in datasets} for m in methods_on(board, datasets)
    }
    shown = {m: means for m, means in found.items() if any(v is not None for v in means.values())}
    level = {d: board.level(d, k) for d in datasets}
    fair = {d: board.fair(d, k) for d in datasets}
    overall = {
        m: _mean([mean if m in level[d] else None for d, mean in means.items()])
        for m, means in shown.items()
    }
    ranked = {m: mean for m, mean in overall.items() if not board.is_oracle(m)}
    rows = []
    for method in shown:
        cells = [
            Cell(
                score(board, d, method, k, "dsc"),
                best=leads(method, {m: shown[m][d] for m in fair[d]}, max),
            )
            for d in datasets
        ]
        best = leads(method, ranked, max)
        rows.append((Cell(data.shown(method)), *cells, Cell(number(overall[method]), best=best)))
    return Table((f"DSC, {column_name(k)}", *datasets, MEAN), tuple(rows), numbers_from=1)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def _ks(data: BenchData) -> list[Column]:
    found = {k for name in data.board.datasets for k in data.board.columns(name)}
    return sorted(found, key=lambda k: k if isinstance(k, int) else float("inf"))
