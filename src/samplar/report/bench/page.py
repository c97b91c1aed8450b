"""The page of a benchmark: what was compared, how it came out, how sure that is, what it cost."""

from __future__ import annotations

from samplar.config.bench import FULL
from samplar.evaluation.statistics import LEVEL, SAMPLES
from samplar.report.bench.curves import COLOURS, Curve, curve_chart
from samplar.report.bench.data import BenchData
from samplar.report.bench.listing import listing
from samplar.report.bench.overview import overview
from samplar.report.bench.tables import (
    class_table,
    column_name,
    cost_table,
    difference_table,
    rank_table,
    ratio_table,
    score_table,
)
from samplar.report.bench.trust import trust_table
from samplar.report.bench.verdict import verdict
from samplar.report.blocks import fold, section, table_html
from samplar.report.markup import Html, element, image, join
from samplar.report.sections import PROTOCOLS
from samplar.report.shell import whole_page

SHEETS = ("page.css", "bench.css")
READING = (
    "Mean ± standard deviation over draws of exemplars and seeds (n in the head of each column); "
    "each of them is a mean over classes of means over subjects. In one draw every method was "
    "given the same exemplars. The best of each column is bold, of the methods with the draws and "
    "seeds that most of them have; a dot is not computed yet. "
)
BLIND = "k = 0 is for methods that look at no exemplar. "


def render_bench(data: BenchData) -> str:
    """Write the whole page."""
    return whole_page(
        f"{data.title}: benchmark",
        _header(data),
        _headline(data),
        *(_dataset(data, name) for name in data.board.datasets),
        listing(data),
        sheets=SHEETS,
    )


def _header(data: BenchData) -> Html:
    facts = [element("li", fact) for fact in (*data.facts, data.created)]
    return element(
        "header",
        element("p.eyebrow", "Samplar benchmark"),
        element("h1", data.title),
        element("ul.facts", *facts),
    )


def _headline(data: BenchData) -> Html:
    """Say in words how the reference stands, then the mean ranks."""
    notes = [element("p.note", note) for note in (*verdict(data), *data.notes)]
    notes += _side_by_side(data)
    table = rank_table(data)
    if table is None:
        return element("section.headline", *notes)
    rule = element(
        "p.label",
        "Rank of each method by mean DSC in every column of the tables below (1 is best), averaged "
        "over the columns in which all methods are finished. Oracles take no part.",
    )
    return element("section.headline", *notes, element("h2", "Mean ranks"), table_html(table), rule)


def _side_by_side(data: BenchData) -> list[Html]:
    tables = overview(data)
    if not tables:
        return []
    rule = element(
        "p.label",
        "Mean DSC on each data set; the best is bold, of the methods with the draws and seeds that "
        "most of them have; a dot is not computed yet. The mean over the data sets is that of "
        "methods which have these on all of them.",
    )
    return [element("h2", "Data sets side by side"), *map(table_html, tables), rule]


def _dataset(data: BenchData, name: str) -> Html:
    parts = [element("h3", "DSC"), table_html(score_table(data, name, "dsc"))]
    blind = BLIND if 0 in data.board.columns(name) else ""
    rule = READING + blind + PROTOCOLS[data.protocol]
    parts += [element("p.label", rule), _curves(data, name)]
    unit = data.unit(name)
    parts += [element("h3", f"HD95 ({unit}), smaller is better")]
    parts.append(table_html(score_table(data, name, "hd95")))
    ratio = ratio_table(data, name)
    if ratio is not None:
        parts += [
            element("h3", "Share of the full set's DSC, in percent"),
            table_html(ratio),
            element("p.label", "DSC with k exemplars over the DSC of the same method with all."),
        ]
    parts += _differences(data, name)
    parts += [
        fold("DSC of every class", table_html(class_table(data, name))),
        *_overlays(data, name),
        *_trust(data, name),
        fold("Time and memory of a cell", join([table_html(cost_table(data, name)), COST])),
    ]
    return section(name, *parts)


def _trust(data: BenchData, name: str) -> list[Html]:
    table = trust_table(data, name)
    return (
        []
        if table is None
        else [fold("How far its own trust was right", join([table_html(table), TRUST]))]
    )


TRUST = element(
    "p.label",
    "Means over draws and seeds, of scored cases. Calibration error: how far the probability of "
    "the class that a voxel was given is from the share of voxels that are right, 15 bins; near "
    "structures is within 2 % of the image of what is or was called foreground. Rank correlation "
    "(Spearman) of the DSC that was expected of a case with the one it has: 1 is a perfect order. "
    "Calibrated is a cell whose exemplars were enough to hold some out.",
)


COST = element(
    "p.label",
    "Means of wall time, largest peak memory. Images that pass the same frozen encoder in several "
    "cells are encoded once; what that took is counted in each of them. Other work "
    "on the machine counts; each cell says what machine and how many threads and processes there "
    "were.",
)


def _curves(data: BenchData, name: str) -> Html:
    board, columns = data.board, data.board.columns(name)
    curves = [
        Curve(
            data.shown(method),
            number % COLOURS,
            {k: board.spread(name, method, k) for k in columns},
            plain=board.is_trivial(method),
        )
        for number, method in enumerate(board.methods)
    ]
    title = f"DSC over the number of exemplars, {name}"
    chart = curve_chart(curves, columns, title=title)
    if chart is None:
        return Html("")
    caption = (
        "Mean DSC over the number of exemplars; the bars are one standard deviation over draws and "
        "seeds, where there are several. Dashed: trivial baselines. The axis begins at the ten "
        "below the lowest value, not always at 0."
    )
    return element("figure.curves", chart, element("figcaption.label", caption))


def _differences(data: BenchData, name: str) -> list[Html]:
    table = difference_table(data, name) if data.protocol == "strict" else None
    if table is None:
        return []
    rule = (
        f"Points of mean DSC by which {data.reference} is above the method of the row, with "
        f"{LEVEL:g} % intervals of a paired bootstrap ({SAMPLES} samples): scored subjects and "
        "draws of exemplars are both drawn again with replacement, independently, and alike for "
        "both methods; seeds are not. Bold: the interval leaves out 0. No correction for the "
        "number of comparisons. With one draw it says nothing about the choice of exemplars."
    )
    return [
        element("h3", f"Differences to {data.reference}"),
        element("div.narrow", table_html(table)),
        element("p.label", rule),
    ]


def _overlays(data: BenchData, name: str) -> list[Html]:
    """Show the kept pictures, folded by number of exemplars."""
    folded = []
    for k in data.board.columns(name):
        tiles = [
            _tile(data.shown(entry.key.method), data.overlays[entry.name])
            for entry in data.board.entries
            if (entry.key.dataset, entry.key.k) == (name, k) and entry.name in data.overlays
        ]
        if tiles:
            what = "all exemplars" if k == FULL else column_name(k)
            title = f"Median and worst slice, {what}, first draw"
            folded.append(fold(title, element("div.sheets", *tiles)))
    return folded


def _tile(caption: str, png: bytes) -> Html:
    return element("figure.tile", image(png, alt=caption), element("figcaption", caption))
