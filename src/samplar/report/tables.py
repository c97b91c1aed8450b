"""The tables of a report, as rows of text, as Markdown and for the terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from samplar.evaluation.means import std_scores
from samplar.evaluation.result import ClassResult, Evaluation, LeftOut
from samplar.evaluation.scores import Metric, Scores
from samplar.report.data import MethodResult

UNDEFINED = "-"
MEAN = "mean over classes"
COLUMNS: tuple[Metric, ...] = ("dsc", "iou", "hd95", "nsd")
NAMES: dict[Metric, str] = {"dsc": "DSC", "iou": "IoU", "hd95": "HD95", "nsd": "NSD"}
CASES_NAMED = 12


@dataclass(frozen=True)
class Cell:
    """The text of a cell, and whether it is the best of those it competes with."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells under headers; columns from `numbers_from` on are numbers, set to the right."""

    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers_from: int

    def markdown(self) -> str:
        """Write the table as Markdown, the best values in bold."""
        rules = ["---" if i < self.numbers_from else "---:" for i in range(len(self.headers))]
        rows = [[_in_markdown(cell) for cell in row] for row in self.rows]
        headers = [_in_markdown(Cell(header)) for header in self.headers]
        return "\n".join(f"| {' | '.join(row)} |" for row in [headers, rules, *rows]) + "\n"

    def text(self) -> str:
        """Write the table in columns for a terminal, the best values with a star."""
        rows = [
            [_in_line(cell.text) + ("*" if cell.best else "") for cell in row] for row in self.rows
        ]
        lines = [list(self.headers), *rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.headers))]
        rule = ["-" * width for width in widths]
        return "".join(self._line(line, widths) for line in [lines[0], rule, *rows])

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        sized = [
            cell.ljust(width) if i < self.numbers_from else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(sized).rstrip() + "\n"


def score_table(methods: Sequence[MethodResult]) -> Table:
    """Compare methods class by class: mean and standard deviation over subjects.

    With one method its name is left out. With several, the best mean of each class is marked.
    """
    evaluation = methods[0].evaluation
    several = len(methods) > 1
    rows = []
    for name in [*evaluation.per_class, MEAN]:
        compared = [_mean_and_spread(method.evaluation, name) for method in methods]
        best = _best([mean for mean, _ in compared]) if several else {}
        for place, (method, (mean, std)) in enumerate(zip(methods, compared, strict=True)):
            scores = [
                Cell(spread(getattr(mean, m), getattr(std, m)), best=place in best.get(m, ()))
                for m in COLUMNS
            ]
            title = [Cell(name), Cell(method.name)] if several else [Cell(name)]
            rows.append((*title, *scores))
    titles = ("Class", "Method") if several else ("Class",)
    return Table((*titles, *metric_headers(evaluation)), tuple(rows), numbers_from=len(titles))


def subject_table(evaluation: Evaluation) -> Table:
    """List every subject: its cases, its means, and its DSC for each class."""
    headers = ("Subject", "Cases", *metric_headers(evaluation))
    headers += tuple(f"DSC {name}" for name in evaluation.per_class)
    rows = []
    for subject, result in evaluation.per_subject.items():
        means = [getattr(result.mean, metric) for metric in COLUMNS]
        classes = [scores.dsc for scores in result.per_class.values()]
        texts = [subject, str(result.cases), *map(number, [*means, *classes])]
        rows.append(tuple(map(Cell, texts)))
    return Table(headers, tuple(rows), numbers_from=1)


def left_out_table(evaluation: Evaluation) -> Table:
    """List what the means do without, cases with one reason together."""
    groups: dict[tuple[str, str, str], list[LeftOut]] = {}
    for entry in evaluation.undefined:
        metrics = ", ".join(NAMES[metric] for metric in entry.metrics)
        key = (entry.class_name or "all", metrics, entry.reason)
        groups.setdefault(key, []).append(entry)
    rows = [
        tuple(map(Cell, (*key, _cases(entries), str(len(entries)))))
        for key, entries in groups.items()
    ]
    return Table(("Class", "Metrics", "Why", "Cases", "Count"), tuple(rows), numbers_from=4)


def metric_headers(evaluation: Evaluation) -> tuple[str, ...]:
    """Return the headers of the four metrics, with units and tolerance."""
    unit = evaluation.unit
    tolerance = f" at {evaluation.tolerance:g} {unit}" if unit != "voxel" else ""
    return (NAMES["dsc"], NAMES["iou"], f"{NAMES['hd95']} ({unit})", NAMES["nsd"] + tolerance)


def number(value: float | None) -> str:
    """Write a score with one decimal; a dash where it is undefined."""
    return UNDEFINED if value is None else f"{value:.1f}"


def spread(mean: float | None, std: float | None) -> str:
    """Write a mean with its standard deviation, if there is one."""
    return number(mean) if std is None or mean is None else f"{mean:.1f} ± {std:.1f}"


def subject_spread(evaluation: Evaluation) -> Scores:
    """Return the standard deviation, over subjects, of each subject's mean over classes."""
    return std_scores(subject.mean for subject in evaluation.per_subject.values())


def _mean_and_spread(evaluation: Evaluation, name: str) -> tuple[Scores, Scores]:
    if name == MEAN:
        return evaluation.mean, subject_spread(evaluation)
    result: ClassResult = evaluation.per_class[name]
    return result, result.std


def _best(means: Sequence[Scores]) -> dict[Metric, set[int]]:
    """Return for each metric the places of its best value: the lowest HD95, else the highest."""
    best: dict[Metric, set[int]] = {}
    for metric in COLUMNS:
        values = {i: v for i, mean in enumerate(means) if (v := getattr(mean, metric)) is not None}
        if values:
            top = min(values.values()) if metric == "hd95" else max(values.values())
            best[metric] = {place for place, value in values.items() if value == top}
    return best


def _cases(entries: Sequence[LeftOut]) -> str:
    named = [entry.case if entry.case is not None else "all" for entry in entries]
    more = len(named) - CASES_NAMED
    return ", ".join(named[:CASES_NAMED]) + (f" and {more} more" if more > 0 else "")


def _in_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _in_markdown(cell: Cell) -> str:
    text = re.sub(r"([\\`*_|<>\[\]&])", r"\\\1", _in_line(cell.text))
    return f"**{text}**" if cell.best else text
