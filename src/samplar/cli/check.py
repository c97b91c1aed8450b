"""`samplar check`: look at a data set before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from samplar.cli.options import DatasetArgument, SplitOption
from samplar.cli.screen import Screen
from samplar.cli.verb import verb

if TYPE_CHECKING:
    from samplar.io.check import CheckReport

NOT_OK = 3


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "check")(check)


def check(screen: Screen, *, dataset: DatasetArgument, split: SplitOption = None) -> int:
    """Say what is in a data set and what is wrong with it."""
    from samplar.io.check import check_dataset

    report = check_dataset(dataset, split)
    screen.result(report.model_dump(mode="json"), "\n".join(_lines(report)))
    return 0 if report.ok else NOT_OK


def _lines(report: CheckReport) -> Iterator[str]:
    yield (
        f"{report.name}: {report.layout or 'layout not recognised'}; {report.cases} images, "
        f"{report.labelled} with labels, of {report.subjects} subjects"
    )
    if report.slices:
        yield f"{report.slices} labelled slices, {report.exemplars} of them with foreground"
    for label in report.labels:
        yield f"  {label.value}: {label.name}, {label.voxels} voxels in {label.slices} slices"
    for finding in report.findings:
        where = f"{finding.file}: " if finding.file else ""
        yield f"{finding.severity}: {where}{finding.problem}. {finding.fix}. [{finding.code}]"
    yield "ok" if report.ok else "not ok: correct the errors first"
