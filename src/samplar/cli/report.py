"""`samplar report`: write the page of a run again, with scores, or that of a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from samplar.cli.options import SplitOption, SubsetOption
from samplar.cli.screen import Screen
from samplar.cli.verb import verb
from samplar.errors import UsageError

if TYPE_CHECKING:
    from samplar.evaluation.result import Evaluation

Run = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="Output folder of `samplar fit`, or of `samplar bench`."),
]
Predictions = Annotated[
    Path | None, typer.Option(metavar="OUT", help="Output folder of `samplar predict`.")
]
Truth = Annotated[
    Path | None, typer.Option(metavar="DATASET", help="Data set folder with their labels.")
]
Baselines = Annotated[
    list[str] | None,
    typer.Option(
        "--baseline", metavar="NAME=EVAL.json", help="Scores to compare with. Repeatable."
    ),
]

Markdown = Annotated[
    bool, typer.Option("--markdown", help="Print the tables of a benchmark as Markdown.")
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "report")(report)


def report(
    screen: Screen,
    *,
    run: Run,
    predictions: Predictions = None,
    truth: Truth = None,
    split: SplitOption = None,
    subset: SubsetOption = None,
    baselines: Baselines = None,
    markdown: Markdown = False,
) -> None:
    """Write the report of a run again, with scores, or that of a benchmark.

    Scores and overlays of a run need --predictions and --truth; a benchmark has its own.
    """
    from samplar.api.bench.results import is_results
    from samplar.api.rewrite import rewrite_report

    if is_results(run):
        given = [predictions, truth, split, subset, baselines]
        _report_benchmark(screen, run, markdown, alone=not any(given))
        return
    if markdown:
        raise UsageError(
            "--markdown is for the results of a benchmark",
            fix="Give the output folder of `samplar bench`, or leave --markdown out",
            code="report.markdown",
            path=run,
        )
    if (predictions is None) != (truth is None):
        raise UsageError(
            "--predictions and --truth go together, and one is missing",
            fix="Give both, or neither",
            code="report.pair",
        )
    pair = None if predictions is None or truth is None else (predictions, truth)
    if pair is None and baselines:
        raise UsageError(
            "--baseline without scores to compare it with",
            fix="Give --predictions and --truth as well",
            code="report.pair",
        )
    page = rewrite_report(
        run, scored=pair, split=split, subset=subset, baselines=_evaluations(baselines or [])
    )
    screen.result({"report": str(page)}, f"report in {page}")


def _report_benchmark(screen: Screen, results: Path, markdown: bool, *, alone: bool) -> None:
    from samplar.api.bench.page import bench_markdown, write_bench_report

    if not alone:
        raise UsageError(
            "a benchmark has its own scores, and others were given",
            fix="Leave --predictions, --truth, --split, --subset and --baseline out",
            code="report.benchmark",
            path=results,
        )
    page = write_bench_report(results)
    text = bench_markdown(results) if markdown else f"report in {page}"
    document = {"report": str(page), **({"markdown": text} if markdown else {})}
    screen.result(document, text)


def _evaluations(given: list[str]) -> dict[str, Evaluation]:
    from samplar.api.rewrite import read_evaluation

    found: dict[str, Evaluation] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise UsageError(
                f"--baseline {text!r} has no name and file",
                fix="Write it as in --baseline copy-nearest=scores.json",
                code="report.baseline",
            )
        found[name] = read_evaluation(Path(path))
    return found
