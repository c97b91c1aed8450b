"""The headline chart: bars of mean DSC, with a dot for every subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from samplar.report.charts import svg
from samplar.report.markup import Html, Value, element, join
from samplar.report.tables import number

WIDTH, ROW = 560, 46
LEFT, RIGHT = 4, 52
MOST_DOTS = 200


@dataclass(frozen=True)
class Bar:
    """A mean in 0..100, or None, and the values of the subjects, in the style of a CSS class."""

    name: str
    mean: float | None
    subjects: tuple[float, ...]
    style: str


def bar_chart(bars: Sequence[Bar], *, title: str) -> Html:
    """Draw bars under each other on one scale from 0 to 100."""
    rows = [_row(bar, top=place * ROW) for place, bar in enumerate(bars)]
    return svg(join(rows), width=WIDTH, height=len(bars) * ROW + 4, title=title)


def _row(bar: Bar, *, top: int) -> Html:
    parts = [
        element("text.name", bar.name, attributes={"x": LEFT, "y": top + 14}),
        element("rect.track", attributes=_box(top, 100.0)),
        element(f"rect.{bar.style}", attributes=_box(top, bar.mean or 0.0)),
        *_dots(bar, top=top),
        element("text.value", number(bar.mean), attributes={"x": WIDTH - RIGHT + 8, "y": top + 34}),
    ]
    return join(parts)


def _x(dsc: float) -> float:
    return round(LEFT + dsc / 100 * (WIDTH - LEFT - RIGHT), 1)


def _box(top: int, dsc: float) -> dict[str, Value]:
    return {"x": LEFT, "y": top + 20, "width": round(_x(dsc) - LEFT, 1), "height": 18, "rx": 3}


def _dots(bar: Bar, *, top: int) -> list[Html]:
    """Draw the subjects, in three lines so that they hide each other less; not all of very many."""
    values = sorted(bar.subjects)
    kept = values[:: max(1, len(values) // MOST_DOTS)] if len(values) > 1 else []
    return [
        element(
            "circle.subject",
            attributes={"cx": _x(value), "cy": top + 25 + 4 * (place % 3), "r": 2.6},
        )
        for place, value in enumerate(kept)
    ]
