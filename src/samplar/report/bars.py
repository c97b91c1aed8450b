"""The headline chart: one bar of mean DSC per method, with a dot for every subject."""

from __future__ import annotations

from collections.abc import Sequence

from samplar.report.charts import svg
from samplar.report.data import MethodResult
from samplar.report.markup import Html, element, join
from samplar.report.tables import number

WIDTH, ROW = 560, 46
LEFT, RIGHT = 4, 52
MOST_DOTS = 200


def method_bars(methods: Sequence[MethodResult]) -> Html:
    """Draw the methods under each other on one scale from 0 to 100."""
    rows = [_row(method, top=place * ROW) for place, method in enumerate(methods)]
    height = len(methods) * ROW + 4
    return svg(join(rows), width=WIDTH, height=height, title="Mean DSC of each method")


def _row(method: MethodResult, *, top: int) -> Html:
    mean = method.evaluation.mean.dsc
    kind = "baseline" if method.baseline else "method"
    parts = [
        element("text.name", method.name, attributes={"x": LEFT, "y": top + 14}),
        element("rect.track", attributes=_box(top, 100.0)),
        element(f"rect.{kind}", attributes=_box(top, mean or 0.0)),
        *_dots(method, top=top),
        element("text.value", number(mean), attributes={"x": WIDTH - RIGHT + 8, "y": top + 34}),
    ]
    return join(parts)


def _x(dsc: float) -> float:
    return round(LEFT + dsc / 100 * (WIDTH - LEFT - RIGHT), 1)


def _box(top: int, dsc: float) -> dict[str, float]:
    return {"x": LEFT, "y": top + 20, "width": round(_x(dsc) - LEFT, 1), "height": 18, "rx": 3}


def _dots(method: MethodResult, *, top: int) -> list[Html]:
    """Draw the subjects, in three lines so that they hide each other less; not all of very many."""
    results = method.evaluation.per_subject.values()
    values = sorted(result.mean.dsc for result in results if result.mean.dsc is not None)
    kept = values[:: max(1, len(values) // MOST_DOTS)] if len(values) > 1 else []
    return [
        element(
            "circle.subject",
            attributes={"cx": _x(value), "cy": top + 25 + 4 * (place % 3), "r": 2.6},
        )
        for place, value in enumerate(kept)
    ]
