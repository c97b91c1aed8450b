"""The first thing on the page: the main figures, beside what they must beat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from samplar.report.bars import Bar, bar_chart
from samplar.report.data import MethodResult, ReportData
from samplar.report.markup import Html, element
from samplar.report.tables import metric_headers, number, subject_spread

MOST_CLASSES = 10


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
    bars = element("div.bars", *_chart(data.methods))
    notes = [element("p.note", note) for note in (*verdict(data.methods), *data.notes)]
    return element("section.headline", element("div.split", figures, bars), *notes)


def _chart(methods: Sequence[MethodResult]) -> tuple[Html, Html]:
    """Draw the methods; with nothing to compare, the classes of the one there is."""
    per_class = methods[0].evaluation.per_class
    by_class = len(methods) == 1 and 1 < len(per_class) <= MOST_CLASSES
    bars = _class_bars(methods[0]) if by_class else [_method_bar(method) for method in methods]
    each = "class" if by_class else "method"
    key = element("p.label", f"Mean DSC of each {each}; each dot is a subject.")
    return bar_chart(bars, title=f"Mean DSC of each {each}"), key


def _method_bar(method: MethodResult) -> Bar:
    evaluation = method.evaluation
    subjects = [subject.mean.dsc for subject in evaluation.per_subject.values()]
    style = "baseline" if method.baseline else "method"
    return Bar(method.name, evaluation.mean.dsc, _defined(subjects), style)


def _class_bars(method: MethodResult) -> list[Bar]:
    subjects = method.evaluation.per_subject.values()
    return [
        Bar(name, result.dsc, _defined(s.per_class[name].dsc for s in subjects), "method")
        for name, result in method.evaluation.per_class.items()
    ]


def _defined(values: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(value for value in values if value is not None)


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
