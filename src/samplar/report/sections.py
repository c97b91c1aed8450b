"""The sections of the page, each from its part of the data; a section without data is left out."""

from __future__ import annotations

from collections.abc import Sequence

from samplar.evaluation.result import Evaluation
from samplar.io.overlay import colour_of
from samplar.report.blocks import fold, section, table_html
from samplar.report.charts import Line, line_chart
from samplar.report.data import MethodResult, Picture, ReportData, SlicePicture
from samplar.report.markup import Html, Value, element, image
from samplar.report.tables import Table, left_out_table, number, score_table, subject_table
from samplar.report.training_log import TrainingRow, finite, smoothed

PROTOCOLS = {
    "strict": "Protocol strict: a missed structure scores 0 and the image diagonal as HD95, a false"
    " positive scores 0, and a class absent from truth and prediction does not count.",
    "samed": "Protocol samed: the published rule, for comparison only. Distances are in voxels, and"
    " a false positive scores a perfect 100.",
}
NOTHING = Html("")
SWATCH: dict[str, Value] = {"viewBox": "0 0 12 12", "aria-hidden": "true"}


def scores(data: ReportData) -> Html:
    """Write the table of classes and methods, the subjects, and what the means leave out."""
    evaluation = data.methods[0].evaluation
    folded = [
        fold(f"Subjects: {method.name}", table_html(subject_table(method.evaluation)))
        for method in data.methods
        if not method.baseline
    ]
    folded += [
        fold(f"Left out of the means: {', '.join(names)}", table_html(table))
        for table, names in _left_out(data.methods).items()
    ]
    rule = element("p.label", _rule(evaluation))
    return section("Scores", table_html(score_table(data.methods)), rule, *folded)


def _left_out(methods: Sequence[MethodResult]) -> dict[Table, list[str]]:
    """Return each list of what was left out with the methods it holds for."""
    lists: dict[Table, list[str]] = {}
    for method in methods:
        if method.evaluation.undefined:
            lists.setdefault(left_out_table(method.evaluation), []).append(method.name)
    return lists


def _rule(evaluation: Evaluation) -> str:
    spread_of = "Mean ± standard deviation over subjects; DSC, IoU and NSD in percent. "
    return spread_of + PROTOCOLS[evaluation.protocol]


def slices(data: ReportData) -> Html:
    """Show image, truth and prediction of the picked slices, with the colours of the classes."""
    if not data.slices:
        return NOTHING
    names = list(data.methods[0].evaluation.per_class)
    return section("Test slices", _legend(names), *map(_slice, data.slices))


def _slice(picture: SlicePicture) -> Html:
    panels = [
        element("div", image(png, alt=f"{name}, {picture.case}"), element("span", name))
        for name, png in (
            ("image", picture.image),
            ("truth", picture.truth),
            ("prediction", picture.prediction),
        )
    ]
    where = f"case {picture.case}, slice {picture.slice}, subject {picture.subject}"
    title = element(f"span.rank.{picture.rank}", picture.rank)
    score = element("strong", f"DSC {number(picture.dsc)}")
    caption = element("figcaption", title, score, element("span", where))
    return element("figure.slice", caption, element("div.panels", *panels))


def _legend(names: Sequence[str]) -> Html:
    entries = []
    for index, name in enumerate(names, start=1):
        fill = "#{:02x}{:02x}{:02x}".format(*colour_of(index))
        box: dict[str, Value] = {"width": 12, "height": 12, "rx": 3, "fill": fill}
        swatch = element("svg.swatch", element("rect", attributes=box), attributes=SWATCH)
        entries.append(element("li", swatch, name))
    return element("ul.legend", *entries)


def training(data: ReportData) -> Html:
    """Draw loss and learning rate over the iterations."""
    rows = finite(data.training)
    if not rows:
        return NOTHING
    steps = [float(row.step) for row in rows]
    losses = [row.loss for row in rows]
    loss = [Line(steps, losses, "raw"), Line(steps, smoothed(losses), "mean")]
    rate = [Line(steps, [row.lr for row in rows], "mean")]
    charts = [
        _chart("Loss, with its running mean", loss),
        _chart("Learning rate", rate),
    ]
    return section("Training", element("p.label", _ending(rows)), element("div.pair", *charts))


def _chart(title: str, lines: Sequence[Line]) -> Html:
    chart = line_chart(lines, title=title, x_label="iteration")
    return element("figure.chart", element("figcaption", title), chart)


def _ending(rows: Sequence[TrainingRow]) -> str:
    last = rows[-1]
    return f"{last.step:,} iterations, last loss {last.loss:.4g}"


def exemplars(data: ReportData) -> Html:
    """Show the labelled slices that were learned from."""
    if not data.exemplars:
        return NOTHING
    return section("Exemplars", element("div.tiles", *map(_picture, data.exemplars)))


def synthesis(data: ReportData) -> Html:
    """Show what was made from the exemplars."""
    if data.synthesis is None:
        return NOTHING
    return section("Synthesis", element("div.sheet", _picture(data.synthesis)))


def _picture(picture: Picture) -> Html:
    shown = image(picture.png, alt=picture.caption)
    return element("figure.tile", shown, element("figcaption", picture.caption))
