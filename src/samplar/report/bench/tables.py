"""The tables of a benchmark: rows are methods, columns numbers of exemplars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from samplar.config.bench import FULL
from samplar.evaluation.board import Board, Column, Spread
from samplar.evaluation.cell import Cost
from samplar.evaluation.scores import Metric
from samplar.evaluation.statistics import Difference
from samplar.report.bench.data import BenchData
from samplar.report.facts import duration, size
from samplar.report.tables import UNDEFINED, Cell, Table, number, spread

MISSING = "·"


def column_name(k: Column) -> str:
    """Write the head of a column."""
    if k == 0:
        return "k = 0"
    return "full set" if k == FULL else f"k = {k}"


def score_table(data: BenchData, dataset: str, metric: Metric) -> Table:
    """Compare the methods: mean and standard deviation over draws and seeds of every column.

    The best of each column is marked, of the methods that compete there.
    """
    board, columns = data.board, data.board.columns(dataset)

    def text(method: str, k: Column) -> str:
        return score(board, dataset, method, k, metric)

    best = {k: _best(data, dataset, k, metric) for k in columns}
    heads = ("Method", *(_head(data, dataset, k) for k in columns))
    rows = [
        (
            Cell(data.shown(method)),
            *(Cell(text(method, k), best=method in best[k]) for k in columns),
        )
        for method in methods_on(board, [dataset])
    ]
    return Table(heads, tuple(rows), numbers_from=1)


def markdown_table(data: BenchData, dataset: str) -> Table:
    """Put DSC and HD95 into one table, for a page of text."""
    board, columns = data.board, data.board.columns(dataset)
    best = {k: _best(data, dataset, k, "dsc") for k in columns}
    rows = []
    for method in methods_on(board, [dataset]):
        cells = [Cell(data.shown(method))]
        for k in columns:
            dsc = score(board, dataset, method, k, "dsc")
            hd95 = board.spread(dataset, method, k, "hd95").mean
            far = "" if hd95 is None else f" ({hd95:.1f})"
            cells.append(Cell(dsc + far, best=method in best[k]))
        rows.append(tuple(cells))
    heads = ("Method", *(_head(data, dataset, k) for k in columns))
    return Table(heads, tuple(rows), numbers_from=1)


def ratio_table(data: BenchData, dataset: str) -> Table | None:
    """Say what share of its own full-set DSC a method reaches with k exemplars, in percent."""
    board = data.board
    columns = [k for k in board.columns(dataset) if k not in {0, FULL}]
    rows = []
    for method in methods_on(board, [dataset]):
        full = board.spread(dataset, method, FULL).mean
        means = [board.spread(dataset, method, k).mean for k in columns]
        if full and any(mean is not None for mean in means):
            shares = [None if mean is None else 100 * mean / full for mean in means]
            rows.append((Cell(data.shown(method)), *(Cell(number(share)) for share in shares)))
    heads = ("Method", *map(column_name, columns))
    return Table(heads, tuple(rows), numbers_from=1) if rows else None


def difference_table(data: BenchData, dataset: str) -> Table | None:
    """Say how far the reference is above every other method, with 95 % intervals."""
    board, own = data.board, data.reference
    columns = [k for k in board.columns(dataset) if k != 0]
    rows = []
    for method in methods_on(board, [dataset]):
        if method == own or board.is_oracle(method):
            continue
        found = [board.difference(dataset, k, own, method) for k in columns]
        if any(found):
            texts = [Cell(MISSING) if d is None else _difference(d) for d in found]
            rows.append((Cell(data.shown(method)), *texts))
    heads = (f"{own} minus", *map(column_name, columns))
    return Table(heads, tuple(rows), numbers_from=1) if rows else None


def _difference(found: Difference) -> Cell:
    """Write a difference with its interval; one subject gives none, however often it is drawn."""
    if found.subjects < 2:
        return Cell(f"{found.mean:+.1f}")
    return Cell(f"{found.mean:+.1f} [{found.low:.1f}, {found.high:.1f}]", best=found.clear)


def class_table(data: BenchData, dataset: str) -> Table:
    """List the DSC of every class and method; the best of each class and column is marked."""
    board, columns = data.board, data.board.columns(dataset)
    names = [cell.evaluation for cell in data.of(dataset) if cell.evaluation is not None]
    fair = {k: board.fair(dataset, k) for k in columns}
    rows = []
    for name in names[0].per_class if names else ():
        means = {
            (method, k): Spread.of(
                cell.evaluation.per_class[name].dsc
                for cell in board.done(dataset, method, k)
                if cell.evaluation is not None
            ).mean
            for method in methods_on(board, [dataset])
            for k in columns
        }
        for method in methods_on(board, [dataset]):
            cells = [
                Cell(
                    number(means[method, k]),
                    best=leads(method, {m: means[m, k] for m in fair[k]}, max),
                )
                for k in columns
            ]
            rows.append((Cell(name), Cell(data.shown(method)), *cells))
    heads = ("Class", "Method", *map(column_name, columns))
    return Table(heads, tuple(rows), numbers_from=2)


def rank_table(data: BenchData) -> Table | None:
    """List the mean ranks, the best first."""
    found = sorted(data.board.mean_ranks().items(), key=lambda item: item[1])
    if not found or found[0][1][1] < 2:
        return None
    first = found[0][1][0]
    rows = tuple(
        (Cell(data.shown(method)), Cell(f"{rank:.2f}", best=rank == first), Cell(str(count)))
        for method, (rank, count) in found
    )
    return Table(("Method", "Mean rank", "Columns"), rows, numbers_from=1)


def cost_table(data: BenchData, dataset: str) -> Table:
    """List what a cell took, on the average.

    What a cell was spared by others is added; cells that do not know it do not count for
    prediction.
    """
    board = data.board
    rows = []
    for method in methods_on(board, [dataset]):
        for k in board.columns(dataset):
            costs = [c.cost for c in board.done(dataset, method, k) if c.cost is not None]
            if costs:
                texts = [data.shown(method), column_name(k), *_cost(costs)]
                rows.append(tuple(map(Cell, texts)))
    heads = ("Method", "Exemplars", "Synthesis + encoder", "Training", "Prediction", "Whole cell")
    more = ("Peak memory", "Trained numbers", "Adapter")
    return Table((*heads, *more), tuple(rows), numbers_from=2)


def _cost(costs: Sequence[Cost]) -> list[str]:
    times = (
        [_more(cost.synthesis, cost.pool_spared) for cost in costs],
        [cost.training for cost in costs],
        [
            _more(cost.prediction, cost.spared)
            for cost in costs
            if cost.spared or not cost.encoded_before
        ],
        [cost.total + cost.spared + cost.pool_spared for cost in costs],
    )
    peak = size(max(cost.peak_memory_bytes for cost in costs)) or UNDEFINED
    adapter = size(costs[0].adapter_bytes) or UNDEFINED
    seconds = [duration(_average(values)) or UNDEFINED for values in times]
    return [*seconds, peak, f"{costs[0].trainable_parameters:,}", adapter]


def _more(seconds: float | None, spared: float) -> float | None:
    """Return what a stage would have taken if nothing had been encoded for another cell."""
    return None if seconds is None else seconds + spared


def _head(data: BenchData, dataset: str, k: Column) -> str:
    """Write the head of a column, with how many cells most of it are the mean of."""
    counts = [len(data.board.places(dataset, m, k)) for m in methods_on(data.board, [dataset])]
    return f"{column_name(k)} (n = {max(counts, default=0)})"


def score(board: Board, dataset: str, method: str, k: Column, metric: Metric) -> str:
    """Write mean and standard deviation of a place, or why there is none."""
    places = board.places(dataset, method, k)
    if not places:
        return ""
    found = board.spread(dataset, method, k, metric)
    done = len(board.done(dataset, method, k))
    if not done:
        failed = any(e.cell is not None and e.cell.failure is not None for e in places)
        return "failed" if failed else MISSING
    text = spread(found.mean, found.std)
    return text if done == len(places) else f"{text} ({done} of {len(places)})"


def _best(data: BenchData, dataset: str, k: Column, metric: Metric) -> set[str]:
    board = data.board
    means = {m: board.spread(dataset, m, k, metric).mean for m in board.fair(dataset, k)}
    top = min if metric == "hd95" else max
    return {method for method in means if leads(method, means, top)}


def leads(
    method: str, means: dict[str, float | None], top: Callable[[Sequence[float]], float]
) -> bool:
    """Tell whether a method has the best mean of several, as it is written with one decimal."""
    known = [round(mean, 1) for mean in means.values() if mean is not None]
    own = means.get(method)
    return own is not None and len(known) > 1 and round(own, 1) == top(known)


def methods_on(board: Board, datasets: Sequence[str]) -> list[str]:
    """Return the methods of these data sets, trivial ones and oracles last."""
    found = dict.fromkeys(e.key.method for e in board.entries if e.key.dataset in datasets)
    return sorted(found, key=lambda m: 2 * board.is_oracle(m) + board.is_trivial(m))


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
