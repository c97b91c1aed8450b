"""The section on trust: whether probabilities mean what they say, and what that was worth."""

from __future__ import annotations

from collections.abc import Iterable

from samplar.evaluation.calibration import Reliability
from samplar.evaluation.trust import Calibration, TrustResult
from samplar.report.blocks import section
from samplar.report.data import ReportData
from samplar.report.markup import Html, element
from samplar.report.squares import Dot, square_chart

NOT_CALIBRATED = "This adapter is not calibrated: {reason}. Its probabilities are too sure."
HELD_OUT = (
    "Exemplars that refits had not seen: probability given to the chosen class, and share of pixels"
    " that are right. On the diagonal a probability means what it says; below it, it boasts."
)
SCORED = "The same for the voxels of the scored cases, near structures."
CASES = "The DSC expected of each case without its truth, and the DSC it has."
RECIPE = (
    "Near structures: at most a fiftieth of the slice's longer side from predicted or true"
    " foreground. Calibration error: 15 bins by the probability of the chosen class."
)


def trust(data: ReportData) -> Html:
    """Draw the reliability on held-out exemplars and on scored cases, and expected against true."""
    result = data.methods[0].evaluation.trust if data.methods else None
    charts = [*_held_out(data.calibration), *_scored(result)]
    if data.calibration is None and not charts:
        return Html("")
    lines = [] if data.calibration is None else [_said(data.calibration)]
    lines += [] if result is None else [_capital(result.line())]
    parts = [element("p", f"{line}") for line in lines]
    rule = [element("p.label", RECIPE)] if charts else []
    return section("Trust", *parts, element("div.squares", *charts), *rule)


def _said(calibration: Calibration) -> str:
    if calibration.calibrated:
        return f"{_capital(calibration.line())}."
    return NOT_CALIBRATED.format(reason=calibration.reason)


def _capital(line: str) -> str:
    return line[:1].upper() + line[1:]


def _held_out(calibration: Calibration | None) -> Iterable[Html]:
    if calibration is None or not calibration.calibrated:
        return []
    before, after = calibration.before.region, calibration.after.region
    dots = [*_dots(before, "before"), *_dots(after, "after")]
    title = f"Held-out exemplars: error {_ece(before)} before (hollow), {_ece(after)} after"
    return [_chart(title, dots, HELD_OUT, axes=("probability", "share that is right"))]


def _scored(result: TrustResult | None) -> Iterable[Html]:
    if result is None:
        return []
    charts = []
    if result.reliability is not None:
        near = result.reliability.region
        title = f"Scored cases: error {_ece(near)}"
        axes = ("probability", "share that is right")
        charts.append(_chart(title, _dots(near, "after"), SCORED, axes=axes))
    if result.cases:
        dots = [Dot(p.expected / 100, p.true / 100, "case", p.case) for p in result.cases]
        ranks = "" if result.spearman is None else f": rank correlation {result.spearman:.2f}"
        title = f"Expected and true DSC{ranks}"
        charts.append(_chart(title, dots, CASES, axes=("expected", "true"), percent=True))
    return charts


def _chart(
    title: str, dots: list[Dot], words: str, *, axes: tuple[str, str], percent: bool = False
) -> Html:
    chart = square_chart(dots, title=title, axes=axes, percent=percent)
    caption = element("figcaption", title)
    return element("figure.chart", caption, chart, element("p.label", words))


def _dots(reliability: Reliability, style: str) -> list[Dot]:
    return [
        Dot(sure, right, style, f"{count:,} pixels") for sure, right, count in reliability.points()
    ]


def _ece(reliability: Reliability) -> str:
    return "-" if reliability.ece is None else f"{reliability.ece:.3f}"
