"""`samplar report`: write the page of a run again, with scores."""

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

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Output folder of `samplar fit`.")]
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
) -> None:
    """Write the report of a run again, with scores.

    Scores and overlays need --predictions and --truth.
    """
    from samplar.api.rewrite import rewrite_report

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
