"""What the tables amount to, in a few sentences."""

from __future__ import annotations

from collections.abc import Iterator

from samplar.report.bench.data import BenchData
from samplar.report.bench.tables import column_name


def verdict(data: BenchData) -> Iterator[str]:
    """Say where the reference leads, and whether it beats the trivial baselines everywhere."""
    board, own = data.board, data.reference
    columns = [
        (dataset, k, means)
        for dataset in board.datasets
        for k in board.columns(dataset)
        if own in (means := board.compared(dataset, k)) and len(means) > 1
    ]
    if not columns:
        yield f"Nothing to compare {own} with yet."
        return
    led = [where for where in columns if where[2][own] >= max(where[2].values())]
    yield f"{own} has the highest mean DSC in {len(led)} of {len(columns)} columns."
    lost = [
        f"{dataset} at {column_name(k)} ({rival} {means[rival]:.1f}, {own} {means[own]:.1f})"
        for dataset, k, means in columns
        for rival in means
        if board.is_trivial(rival) and rival != own and means[rival] >= means[own]
    ]
    if lost:
        yield f"Not better than a trivial baseline: {'; '.join(lost)}."
    elif any(board.is_trivial(m) for _, _, means in columns for m in means if m != own):
        yield f"{own} is better than every trivial baseline in all of them."
