"""The first thing on the page: the main figures, beside what they must beat."""

from __future__ import annotations

from collections.abc import Sequence

from samplar.report.bars import method_bars
from samplar.report.data import MethodResult, ReportData
from samplar.report.markup import Html, element
from samplar.report.tables import metric_headers, number, subject_spread


def headline(data: ReportData) -> Html:
    """Write the main figures beside the bars of everything compared, and what they amount to."""
    evaluation = data.methods[0].evaluation
    std = subject_spread(evaluation).dsc
    around = "" if std is None else element("span.around", f"± {std:.1f}")
    big = element("p.big", number(evaluation.mean.dsc), around)
    label = element("p.label", f"mean DSC over {count(len(evaluation.per_subject), 'subject')}")
    _, iou, hd95, nsd = metric_headers(evaluation)
    smaller = [
        element("div", element("dt", name), element("dd", number(value)))
        for name, value in (
            (iou, evaluation.mean.iou),
            (hd95, evaluation.mean.hd95),
            (nsd, evaluation.mean.nsd),
        )
    ]
    figures = element("div.figures", big, label, element("dl.stats", *smaller))
    key = element("p.label", "Bars: mean DSC. Dots: subjects.")
    bars = element("div.bars", method_bars(data.methods), key)
    notes = [element("p.note", note) for note in (*verdict(data.methods), *data.notes)]
    return element("section.headline", element("div.split", figures, bars), *notes)


def verdict(methods: Sequence[MethodResult]) -> list[str]:
    """Say how the first method stands against the best trivial baseline, if there is one."""
    own = methods[0].evaluation.mean.dsc
    rivals = [
        (method.evaluation.mean.dsc, method.name)
        for method in methods[1:]
        if method.baseline and method.evaluation.mean.dsc is not None
    ]
    if own is None or not rivals:
        return []
    best, name = max(rivals)
    if own > best:
        return [
            f"{own - best:.1f} DSC points above the best trivial baseline, {name} ({best:.1f})."
        ]
    return [
        f"Not better than the trivial baseline {name} ({best:.1f}):"
        " what was learned does not help on these cases."
    ]


def count(number_of: int, noun: str) -> str:
    """Write `1 case`, `2 cases`."""
    return f"{number_of} {noun}" + ("" if number_of == 1 else "s")
