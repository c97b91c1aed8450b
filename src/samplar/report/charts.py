"""Small charts drawn as SVG inside the page, so that they follow its colours, dark or light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from samplar.report.markup import Html, element, join

WIDTH, HEIGHT = 520, 230
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 34
MOST_POINTS = 600


@dataclass(frozen=True)
class Line:
    """A line through points, drawn in the style of a CSS class."""

    x: Sequence[float]
    y: Sequence[float]
    style: str


def line_chart(lines: Sequence[Line], *, title: str, x_label: str) -> Html:
    """Draw lines that share their axes; the y axis begins at 0.

    Args:
        lines: at least one point in all; long lines are thinned out evenly.
        title: said to those who cannot see it.
        x_label: written under the x axis.
    """
    low, high = min(min(line.x) for line in lines), max(max(line.x) for line in lines)
    top = max(max(line.y) for line in lines)
    x_ticks, y_ticks = ticks(low, high), ticks(0.0, top)
    scale = _Scale(low, max(high, low + 1e-12), max(y_ticks[-1], top, 1e-12))
    drawn = [
        *(_y_tick(value, scale) for value in y_ticks),
        *(_x_tick(value, scale) for value in x_ticks),
        _text(x_label, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 3, anchor="middle"),
        *(_polyline(line, scale) for line in lines),
    ]
    return svg(join(drawn), width=WIDTH, height=HEIGHT, title=title)


def svg(content: Html, *, width: int, height: int, title: str) -> Html:
    """Wrap drawn content; the chart takes the width it is given on the page."""
    attributes = {"viewBox": f"0 0 {width} {height}", "role": "img"}
    return element("svg", element("title", title), content, attributes=attributes)


def ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Return round numbers from `low` to `high` or just beyond, roughly `about` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step), math.ceil(high / step - 1e-9)
    return [round(count * step, 12) for count in range(first, last + 1)]


def tick_label(value: float, top: float) -> str:
    """Write a tick; on a scale of small values all in powers of ten, as `1.5e-4`."""
    if top >= 0.01 or value == 0:
        return f"{value:g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    top: float

    def x(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM), 1)


def _y_tick(value: float, scale: _Scale) -> Html:
    y = scale.y(value)
    line = element("line.grid", attributes={"x1": LEFT, "x2": WIDTH - RIGHT, "y1": y, "y2": y})
    return join([line, _text(tick_label(value, scale.top), x=LEFT - 7, y=y + 4, anchor="end")])


def _x_tick(value: float, scale: _Scale) -> Html:
    if not scale.low <= value <= scale.high:
        return Html("")
    return _text(f"{value:g}", x=scale.x(value), y=HEIGHT - BOTTOM + 16, anchor="middle")


def _text(text: str, *, x: int | float, y: int | float, anchor: str) -> Html:
    return element("text", text, attributes={"x": x, "y": round(y, 1), "text-anchor": anchor})


def _polyline(line: Line, scale: _Scale) -> Html:
    every = math.ceil(len(line.x) / MOST_POINTS) or 1
    points = list(zip(line.x, line.y, strict=True))
    kept = points[::every] + ([points[-1]] if len(points) % every != 1 and every > 1 else [])
    text = " ".join(f"{scale.x(x)},{scale.y(y)}" for x, y in kept)
    return element(f"polyline.{line.style}", attributes={"points": text})
