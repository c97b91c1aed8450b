from __future__ import annotations

import re

import pytest

from samplar.report.bars import Bar, bar_chart
from samplar.report.charts import HEIGHT, WIDTH, Line, line_chart, tick_label, ticks


def points(chart: str) -> list[tuple[float, float]]:
    drawn = re.search(r'points="([^"]*)"', chart)[1]
    return [tuple(map(float, point.split(","))) for point in drawn.split()]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.0, 1200.0, [0, 250, 500, 750, 1000, 1250]),
        (0.0, 2e-4, [0, 5e-5, 1e-4, 1.5e-4, 2e-4]),
        (3.0, 3.0, [3]),
    ],
)
def test_ticks_are_round(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


def test_small_ticks_are_written_alike():
    assert [tick_label(value, 2e-4) for value in (0.0, 5e-5, 1.5e-4)] == ["0", "5e-5", "1.5e-4"]
    assert tick_label(0.25, 1.0) == "0.25"


def test_a_line_runs_from_corner_to_corner(parsed):
    chart = line_chart(
        [Line([0.0, 5.0, 10.0], [0.0, 0.5, 1.0], "mean")], title="Loss", x_label="step"
    )

    left, middle, right = points(chart)
    assert left == (58, HEIGHT - 34)
    assert right == (WIDTH - 12, 12)
    assert middle == pytest.approx(((left[0] + right[0]) / 2, (left[1] + right[1]) / 2))
    page = parsed(chart)
    assert page.open == []
    assert page.words[0] == "Loss"
    assert "step" in page.words


def test_a_long_line_is_thinned_and_keeps_its_end():
    chart = line_chart(
        [Line([float(n) for n in range(5000)], [1.0] * 5000, "raw")], title="t", x_label="x"
    )

    assert 500 < len(points(chart)) < 700
    assert points(chart)[-1][0] == WIDTH - 12


def test_a_single_point_and_a_line_of_zeros():
    for line in (Line([1.0], [0.5], "raw"), Line([1.0, 2.0], [0.0, 0.0], "raw")):
        chart = line_chart([line], title="t", x_label="x")
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points(chart))


def test_bars_show_means_and_subjects(parsed):
    bars = [Bar("ours", 50.0, (20.0, 80.0), "method"), Bar("none", None, (), "baseline")]

    page = parsed(bar_chart(bars, title="DSC"))

    widths = {each["class"]: float(each["width"]) for tag, each in page.tags if tag == "rect"}
    assert widths["method"] == pytest.approx(widths["track"] / 2)
    assert widths["baseline"] == 0
    assert [tag for tag, _ in page.tags].count("circle") == 2
    assert page.words == ["DSC", "ours", "50.0", "none", "-"]


def test_very_many_subjects_are_thinned(parsed):
    page = parsed(bar_chart([Bar("ours", 50.0, (50.0,) * 900, "method")], title="DSC"))

    assert 200 <= [tag for tag, _ in page.tags].count("circle") <= 300
