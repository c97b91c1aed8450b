"""`samplar evaluate`: score label files against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from samplar.cli.options import ProtocolOption, SplitOption, SubsetOption, ToleranceOption
from samplar.cli.screen import Screen
from samplar.cli.telling import fractions
from samplar.cli.verb import verb

if TYPE_CHECKING:
    from samplar.evaluation.result import Evaluation

Predictions = Annotated[
    Path, typer.Argument(metavar="PRED", help="Output folder of `samplar predict`.")
]
Truth = Annotated[Path, typer.Argument(metavar="TRUTH", help="Data set folder with the labels.")]
RegionsOption = Annotated[
    Path | None,
    typer.Option(
        "--regions", metavar="FILE", help="JSON of regions, by label values, to score instead."
    ),
]
Out = Annotated[
    Path | None, typer.Option("-o", "--out", metavar="FILE", help="Also write the JSON document.")
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "evaluate")(evaluate)


def evaluate(
    screen: Screen,
    *,
    predictions: Predictions,
    truth: Truth,
    split: SplitOption = None,
    subset: SubsetOption = None,
    protocol: ProtocolOption = "strict",
    tolerance: ToleranceOption = 2.0,
    regions: RegionsOption = None,
    out: Out = None,
) -> None:
    """Score label files: DSC, IoU, HD95 and NSD."""
    from samplar.api.evaluate import evaluate as evaluate_now
    from samplar.evaluation.regions import read_regions
    from samplar.io.atomic import ensure_writable, write_bytes
    from samplar.io.dataset import read_dataset

    if out is not None:
        ensure_writable(out.parent)
    side = subset or ("test" if split else None)
    dataset = read_dataset(truth, split=split, subset=side)
    with screen.progress() as progress:
        result = evaluate_now(
            predictions,
            dataset,
            protocol=protocol,
            tolerance=tolerance,
            regions=None if regions is None else read_regions(regions, dataset.labels),
            on_case=fractions(progress, "scoring", len(dataset.labelled)),
        )
    if out is not None:
        write_bytes(out, (result.model_dump_json(indent=1) + "\n").encode())
    screen.result(result.model_dump(mode="json"), _tables(result))


def _tables(result: Evaluation) -> str:
    from samplar.report.data import MethodResult
    from samplar.report.tables import left_out_table, score_table

    scores = score_table([MethodResult(name="prediction", evaluation=result)]).text()
    subjects = f"{len(result.per_case)} cases of {len(result.per_subject)} subjects"
    left_out = "" if not result.undefined else f"\nLeft out:\n{left_out_table(result).text()}"
    trust = "" if result.trust is None else f"{result.trust.line()}\n"
    return f"{scores}\n{subjects}, protocol {result.protocol}\n{trust}{left_out}"
