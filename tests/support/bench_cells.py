"""Made-up cells of a benchmark, so that tables and statistics can be tested without models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from samplar.config.bench import K
from samplar.evaluation.board import Board, Entry
from samplar.evaluation.cell import Cell, Cost, Failure, Key
from samplar.evaluation.scores import CaseScores, ClassScore
from samplar.evaluation.summary import summarise
from samplar.report.bench.data import BenchData

COST = Cost(
    synthesis=12.0,
    training=60.0,
    prediction=30.0,
    scoring=2.0,
    total=110.0,
    peak_memory_bytes=700 << 20,
    adapter_bytes=4 << 20,
    trainable_parameters=1234567,
)
PROMPTED = {"zero-shot": "oracle box"}
TRIVIAL = {"copy-nearest", "linear-probe"}


def class_score(index: int, dsc: float | None) -> ClassScore:
    if dsc is None:
        values = {"dsc": 100.0, "iou": 100.0, "nsd": 100.0, "hd95": 0.0}
        return ClassScore(index=index, status="both-empty", unit="mm", **values)
    values = {"dsc": dsc, "iou": dsc / 2, "nsd": dsc, "hd95": (100 - dsc) / 4}
    return ClassScore(index=index, status="scored", unit="mm", **values)


def cell(
    method: str,
    scores: Mapping[str, Sequence[float | None]] | None,
    *,
    dataset: str = "heart",
    k: int | str = 1,
    draw: int = 0,
    seed: int = 0,
    **more: Any,
) -> Cell:
    """Return a cell with the DSC of every subject and class; without scores it has failed."""
    evaluation = None
    if scores is not None:
        rows = [
            CaseScores(s, s, tuple(class_score(i, v) for i, v in enumerate(values, 1)))
            for s, values in scores.items()
        ]
        width = len(next(iter(scores.values())))
        names = ("ventricle", "muscle", "wall")[:width]
        evaluation = summarise(rows, names=names, protocol="strict", tolerance=2.0)
    trouble = Failure(code="exemplars.too_few", problem="2 of 9", fix="Label more", path=None)
    values = {
        "key": Key.model_validate(
            {"dataset": dataset, "method": method, "k": k, "draw": draw, "seed": seed}
        ),
        "digest": "0" * 64,
        "settings": {},
        "created": "2026-01-01T00:00:00+00:00",
        "method": method,
        "trivial": method in TRIVIAL,
        "prompted": PROMPTED.get(method, "none"),
        "cost": None if scores is None else COST,
        "evaluation": evaluation,
        "failure": trouble if scores is None else None,
    }
    return Cell(**{**values, **more})


def entry(made: Cell) -> Entry:
    key = made.key
    return Entry(key, f"{key.dataset}--{key.method}--k{key.k}-d{key.draw}-s{key.seed}--abc", made)


def missing(method: str, k: K, *, dataset: str = "heart", draw: int = 0) -> Entry:
    key = Key(dataset=dataset, method=method, k=k, draw=draw, seed=0)
    return Entry(key, f"{dataset}--{method}--k{k}-d{draw}", None)


def bench_data(entries: Iterable[Entry], reference: str = "decoder-only", **more: Any) -> BenchData:
    values: dict[str, Any] = {
        "title": "few exemplars",
        "created": "today",
        "board": Board(tuple(entries)),
        "reference": reference,
        "side": "test",
        "protocol": "strict",
        "facts": ("3 methods",),
        "overlays": {},
        "notes": (),
    }
    return BenchData(**{**values, **more})
