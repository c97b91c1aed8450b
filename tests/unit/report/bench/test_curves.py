from __future__ import annotations

import re
from itertools import pairwise

from samplar.evaluation.board import Spread
from samplar.report.bench.curves import BOTTOM, HEIGHT, TOP, Curve, curve_chart


def spread(mean: float | None, std: float | None = None) -> Spread:
    return Spread(mean, std, 1)


def numbers(text: str, name: str) -> list[float]:
    return [float(value) for value in re.findall(rf'{name}="([-\d.]+)"', text)]


def test_points_lie_by_the_logarithm_and_the_full_set_is_last(parsed):
    curve = Curve("a", 0, {k: spread(50.0 + n) for n, k in enumerate((1, 4, 16, "full"))})
    text = str(curve_chart([curve], [0, 1, 4, 16, "full"], title="t"))
    assert parsed(text).open == []
    one, four, sixteen, full = numbers(text, "cx")[:4]
    assert abs((four - one) - (sixteen - four)) < 0.2
    assert full > sixteen


def test_everything_stays_inside_and_names_do_not_overlap():
    curves = [Curve(f"m{n}", n, {1: spread(50.0, 60.0), 4: spread(51.0)}) for n in range(8)]
    text = str(curve_chart(curves, [1, 4], title="t"))
    for name in ("y1", "y2"):
        assert all(TOP <= y <= HEIGHT - BOTTOM for y in numbers(text, name))
    heights = sorted(
        float(y) for y in re.findall(r'class="key c\d" cx="[\d.]+" cy="([\d.]+)"', text)
    )
    assert len(heights) == 8
    assert min(b - a for a, b in pairwise(heights)) >= 15.9


def test_a_method_without_exemplars_is_a_level_line():
    curves = [Curve("a", 0, {1: spread(40.0)}), Curve("z", 1, {0: spread(80.0)})]
    text = str(curve_chart(curves, [0, 1, 4], title="t"))
    assert text.count('class="level c1"') == 1


def test_nothing_to_draw_is_no_chart():
    assert curve_chart([Curve("a", 0, {1: spread(None)})], [1, 4], title="t") is None
    assert curve_chart([Curve("a", 0, {1: spread(50.0)})], [0, 1], title="t") is None
