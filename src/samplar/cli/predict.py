"""`samplar predict`: segment images with an adapter."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from samplar.cli.exits import SOME_FAILED
from samplar.cli.fetching import weights_ready
from samplar.cli.going_on import same_command, told_to_go_on
from samplar.cli.options import DeviceOption, SplitOption, SubsetOption
from samplar.cli.outputs import no_empty_folder
from samplar.cli.screen import Screen
from samplar.cli.telling import fractions
from samplar.cli.verb import verb

if TYPE_CHECKING:
    from samplar.api.predict import Predicted
    from samplar.errors import SamplarError

FAILURES = "failures.jsonl"

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder or an adapter folder.")]
Inputs = Annotated[
    list[Path], typer.Argument(metavar="INPUT...", help="Images, folders, or one data set.")
]
Out = Annotated[
    Path, typer.Option("-o", "--out", metavar="OUT", help="Folder for labels.", show_default=False)
]
Probabilities = Annotated[
    bool, typer.Option("--probabilities", help="Also write the probability of every class.")
]
Largest = Annotated[
    bool, typer.Option("--largest", help="Keep only the largest connected part of each class.")
]
Tta = Annotated[
    bool | None,
    typer.Option(
        "--tta/--no-tta",
        help="Also see each slice in a smaller frame and average.  [default: as the method does]",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Make finished cases again; replace what is there.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first case that fails.")]
Workers = Annotated[
    int, typer.Option(metavar="N", min=1, help="Processes that share the cases and the cores.")
]
Precision = Annotated[
    Literal["auto", "fp32", "bf16"], typer.Option(help="auto: as the adapter was made.")
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "predict")(predict)


def predict(
    screen: Screen,
    *,
    run: Run,
    inputs: Inputs,
    out: Out,
    split: SplitOption = None,
    subset: SubsetOption = None,
    probabilities: Probabilities = False,
    largest: Largest = False,
    tta: Tta = None,
    overwrite: Overwrite = False,
    strict: Strict = False,
    workers: Workers = 1,
    device: DeviceOption = None,
    precision: Precision = "auto",
) -> int:
    """Segment images, or the cases of a data set.

    The labels are on the grid of their image. Given again, the command does what is missing and
    keeps what is finished. One bad case does not stop the others: it is listed
    in OUT/failures.jsonl, and the exit status is 7. A case that comes alone, or any case with
    --strict, is refused at once. OUT/review.csv says which cases to look at first.
    """
    from samplar.api.predict import find_inputs
    from samplar.api.predict import predict as predict_now
    from samplar.prediction.adapter import read_card
    from samplar.prediction.launch import launched
    from samplar.prediction.predict import Options

    launch = launched(os.environ)
    if launch is not None and launch.rank > 0:  # the first process speaks for all
        screen = Screen(as_json=screen.as_json, quiet=True)
    card = read_card(run)
    found = find_inputs(inputs, split=split, subset=subset, sequences=card.sequences)
    alone = len(found.cases) == 1
    options = Options(precision, probabilities, largest, strict or alone, tta, overwrite)
    # others may be about to write into a folder that is still empty
    tidied = no_empty_folder(out) if launch is None else nullcontext()
    with told_to_go_on(same_command), tidied, screen.progress() as progress:
        weights_ready(screen, progress, card.weights)
        predicted = predict_now(
            run,
            found,
            out,
            options=options,
            device=device or "auto",
            workers=workers,
            launch=launch,
            on_case=fractions(progress, "predicting", len(found.cases)),
        )
    return 0 if predicted.shared else _tell(screen, out, predicted)


def _tell(screen: Screen, out: Path, predicted: Predicted) -> int:
    from samplar.io.atomic import write_bytes

    outcome = predicted.outcome
    failed = [_failure(case, error) for case, error in outcome.failed]
    listing = out / FAILURES
    if failed:
        write_bytes(listing, "".join(json.dumps(row) + "\n" for row in failed).encode())
    else:
        listing.unlink(missing_ok=True)
    for line in outcome.notes:
        screen.note(line)
    for case, error in outcome.failed:
        screen.warn(f"{error.line()} (case {case})")
    document = {
        "out": str(out),
        "done": [str(path) for path in outcome.done],
        "kept": outcome.kept,
        "failed": failed,
        "notes": outcome.notes,
        "review": [record.model_dump(mode="json") for record in predicted.review],
        "seconds": predicted.seconds,
    }
    text = f"{len(outcome.done)} cases in {out}, {predicted.seconds:.1f} s"
    before = f"; {outcome.kept} were finished before" if outcome.kept else ""
    more = f"; {len(failed)} failed, see {listing}" if failed else ""
    first = f"; to look at first: {predicted.review[0].case}" if len(predicted.review) > 1 else ""
    screen.result(document, text + before + more + first)
    return SOME_FAILED if failed else 0


def _failure(case: str, error: SamplarError) -> dict[str, Any]:
    return {
        "case": case,
        "file": error.path,
        "code": error.code,
        "problem": error.problem,
        "fix": error.fix,
    }
