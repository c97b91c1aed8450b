"""DSC over the number of exemplars: a line for each method, its spread, its name at its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from samplar.config.bench import FULL
from samplar.evaluation.board import Column, Spread
from samplar.report.charts import svg
from samplar.report.markup import Html, Value, element, join

WIDTH, HEIGHT = 860, 340
LEFT, RIGHT, TOP, BOTTOM = 46, 250, 14, 40
COLOURS = 10
APART = 16
DODGE = 3.0


@dataclass(frozen=True)
class Curve:
    """One method: its name, its place among the colours, its points by number of exemplars.

    `plain` curves are those of trivial baselines; a single point at 0 exemplars is a level line.
    """

    name: str
    colour: int
    points: dict[Column, Spread]
    plain: bool = False


def curve_chart(curves: Sequence[Curve], columns: Sequence[Column], *, title: str) -> Html | None:
    """Draw the curves; None where no curve could have two points.

    Args:
        curves: in the order of the table.
        columns: numbers of exemplars to be drawn, ascending, `full` last; 0 is no place.
        title: said to those who cannot see it.
    """
    known = [s for curve in curves for s in curve.points.values() if s.mean is not None]
    if not known or len([k for k in columns if k != 0]) < 2:
        return None
    scale = _Scale.of(known, [k for k in columns if k != 0])
    parts = [*_grid(scale), *_x_axis(scale)]
    ends: list[tuple[float, Curve]] = []
    for number, curve in enumerate(curves):
        shift = (number - (len(curves) - 1) / 2) * DODGE
        drawn, end = _curve(curve, scale, shift)
        parts += drawn
        if end is not None:
            ends.append((end, curve))
    parts += _names(ends)
    return svg(join(parts), width=WIDTH, height=HEIGHT, title=title)


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    places: dict[Column, float]

    @classmethod
    def of(cls, known: Sequence[Spread], columns: Sequence[Column]) -> _Scale:
        lows = [(s.mean or 0.0) - (s.std or 0.0) for s in known]
        highs = [(s.mean or 0.0) + (s.std or 0.0) for s in known]
        low = max(0, math.floor(min(lows) / 10) * 10)
        high = min(100, math.ceil(max(highs) / 10) * 10)
        counts = [k for k in columns if isinstance(k, int)]
        at: dict[Column, float] = {k: math.log2(k) for k in counts}
        last = max(at.values(), default=0.0)
        if FULL in columns:
            at[FULL] = last + 1.5 if counts else 0.0
        first, width = min(at.values(), default=0.0), max(at.values(), default=0.0)
        span = max(width - first, 1.0)
        inner = WIDTH - LEFT - RIGHT - 40
        places = {k: LEFT + 20 + (x - first) / span * inner for k, x in at.items()}
        return cls(low, max(high, low + 10), places)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(HEIGHT - BOTTOM - min(max(share, 0), 1) * (HEIGHT - TOP - BOTTOM), 1)


def _grid(scale: _Scale) -> list[Html]:
    parts = []
    for value in range(int(scale.low), int(scale.high) + 1, 10):
        y = scale.y(value)
        ends: dict[str, Value] = {"x1": LEFT, "x2": WIDTH - RIGHT, "y1": y, "y2": y}
        parts += [element("line.grid", attributes=ends), _text(f"{value}", LEFT - 7, y + 4, "end")]
    return parts


def _x_axis(scale: _Scale) -> list[Html]:
    marks = [
        _text("full set" if k == FULL else str(k), x, HEIGHT - BOTTOM + 18, "middle")
        for k, x in scale.places.items()
    ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    return [*marks, _text("exemplars (k)", middle, HEIGHT - 4, "middle")]


def _curve(curve: Curve, scale: _Scale, shift: float) -> tuple[list[Html], float | None]:
    """Draw a curve; return also the height at which it ends."""
    kind = f".c{curve.colour % COLOURS}" + (".plain" if curve.plain else "")
    level = curve.points.get(0)
    if level is not None and level.mean is not None:
        y = scale.y(level.mean)
        ends: dict[str, Value] = {"x1": LEFT, "x2": WIDTH - RIGHT, "y1": y, "y2": y}
        return [element(f"line.level{kind}", attributes=ends)], y
    found = [
        (round(x + shift, 1), scale.y(s.mean), s)
        for k, x in scale.places.items()
        if (s := curve.points.get(k)) is not None and s.mean is not None
    ]
    if not found:
        return [], None
    line = " ".join(f"{x},{y}" for x, y, _ in found)
    parts = [element(f"polyline.curve{kind}", attributes={"points": line})]
    for x, y, s in found:
        if s.std and s.mean is not None:
            reach: dict[str, Value] = {"x1": x, "x2": x}
            reach |= {"y1": scale.y(s.mean - s.std), "y2": scale.y(s.mean + s.std)}
            parts.append(element(f"line.whisker{kind}", attributes=reach))
        parts.append(element(f"circle.point{kind}", attributes={"cx": x, "cy": y, "r": 3.5}))
    return parts, found[-1][1]


def _names(ends: Sequence[tuple[float, Curve]]) -> list[Html]:
    """Write each name beside the end of its curve, moved apart where they would overlap."""
    ordered = sorted(ends, key=lambda end: end[0])
    heights: list[float] = []
    for y, _ in ordered:
        heights.append(max(y, heights[-1] + APART) if heights else y)
    over = max(0.0, (heights[-1] if heights else 0.0) - (HEIGHT - BOTTOM))
    x = WIDTH - RIGHT + 14
    parts = []
    for y, (_, curve) in zip(heights, ordered, strict=True):
        kind = f"c{curve.colour % COLOURS}"
        at = round(y - over, 1)
        dot: dict[str, Value] = {"cx": x, "cy": at, "r": 4}
        parts += [element(f"circle.key.{kind}", attributes=dot), _text(curve.name, x + 9, at + 4)]
    return parts


def _text(text: str, x: float, y: float, anchor: str = "start") -> Html:
    return element(
        "text", text, attributes={"x": round(x, 1), "y": round(y, 1), "text-anchor": anchor}
    )
