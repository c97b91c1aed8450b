"""What the methods of a benchmark said of their own cases, and how far that was right."""

from __future__ import annotations

from collections.abc import Sequence

from samplar.evaluation.board import Column, Spread
from samplar.evaluation.trust import TrustResult
from samplar.report.bench.data import BenchData
from samplar.report.bench.tables import column_name, methods_on
from samplar.report.tables import UNDEFINED, Cell, Table

HEADS = (
    "Method",
    "Exemplars",
    "Calibrated",
    "Calibration error, all voxels",
    "... near structures",
    "Expected and true DSC: rank correlation",
)


def trust_table(data: BenchData, dataset: str) -> Table | None:
    """List calibration error and rank correlation, each a mean over draws and seeds."""
    board, rows = data.board, []
    for method in methods_on(board, [dataset]):
        for k in board.columns(dataset):
            cells = [cell.evaluation for cell in board.done(dataset, method, k)]
            found = [e.trust for e in cells if e is not None and e.trust is not None]
            if found:
                rows.append(_row(data.shown(method), k, found))
    return Table(HEADS, tuple(rows), numbers_from=2) if rows else None


def _row(method: str, k: Column, found: Sequence[TrustResult]) -> tuple[Cell, ...]:
    known = [trust.reliability for trust in found if trust.reliability is not None]
    texts = [
        method,
        column_name(k),
        f"{sum(trust.calibrated for trust in found)} of {len(found)}",
        _share(Spread.of(held.everywhere.ece for held in known)),
        _share(Spread.of(held.region.ece for held in known)),
        _share(Spread.of(trust.spearman for trust in found), places=2),
    ]
    return tuple(map(Cell, texts))


def _share(spread: Spread, *, places: int = 3) -> str:
    if spread.mean is None:
        return UNDEFINED
    text = f"{spread.mean:.{places}f}"
    return text if spread.std is None else f"{text} ± {spread.std:.{places}f}"
