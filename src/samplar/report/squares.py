"""A square chart of two shares against each other, with the diagonal on which they are equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from samplar.report.charts import svg
from samplar.report.markup import Html, Value, element, join

SIDE, LEFT, RIGHT, TOP, BOTTOM = 320, 46, 10, 10, 40
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
MOST_DOTS = 600


@dataclass(frozen=True)
class Dot:
    """A point, both coordinates in 0..1, in the style of a CSS class; what it is, for pointing."""

    x: float
    y: float
    style: str
    what: str


def square_chart(
    dots: Sequence[Dot], *, title: str, axes: tuple[str, str], percent: bool = False
) -> Html:
    """Draw points over the unit square.

    Args:
        dots: very many are thinned out evenly.
        title: said to those who cannot see it.
        axes: what is written below and beside it.
        percent: write 0 to 100 instead of 0 to 1.
    """
    every = -(-len(dots) // MOST_DOTS) or 1
    scale = 100 if percent else 1
    diagonal = {"x1": _x(0), "y1": _y(0), "x2": _x(1), "y2": _y(1)}
    centre = f"rotate(-90 11 {_y(0.5)})"
    drawn = [
        *(_tick(value, f"{value * scale:g}") for value in TICKS),
        element("line.equal", attributes=diagonal),
        _text(axes[0], {"x": _x(0.5), "y": SIDE - 3, "text-anchor": "middle"}),
        _text(axes[1], {"x": 11, "y": _y(0.5), "text-anchor": "middle", "transform": centre}),
        *(_dot(dot) for dot in dots[::every]),
    ]
    return svg(join(drawn), width=SIDE, height=SIDE, title=title)


def _dot(dot: Dot) -> Html:
    place = {"cx": _x(dot.x), "cy": _y(dot.y), "r": 4}
    return element(
        "g", element("title", dot.what), element(f"circle.{dot.style}", attributes=place)
    )


def _tick(value: float, label: str) -> Html:
    x, y = _x(value), _y(value)
    across = element("line.grid", attributes={"x1": _x(0), "x2": _x(1), "y1": y, "y2": y})
    beside = _text(label, {"x": LEFT - 7, "y": y + 4, "text-anchor": "end"})
    below = _text(label, {"x": x, "y": SIDE - BOTTOM + 16, "text-anchor": "middle"})
    return join([across, beside, below])


def _text(words: str, attributes: dict[str, Value]) -> Html:
    return element("text", words, attributes=attributes)


def _x(share: float) -> float:
    return round(LEFT + share * (SIDE - LEFT - RIGHT), 1)


def _y(share: float) -> float:
    return round(SIDE - BOTTOM - share * (SIDE - TOP - BOTTOM), 1)
