"""`samplar export`: write an adapter for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from samplar.cli.fetching import weights_ready
from samplar.cli.outputs import no_empty_folder
from samplar.cli.screen import Screen
from samplar.cli.verb import verb
from samplar.export.kinds import Kind

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder or an adapter folder.")]
Layout = Annotated[
    Kind,
    typer.Option(
        "--format",
        help="peft for PEFT and transformers, samed for SAMed's code, merged for the original SAM.",
        show_default=False,
    ),
]
Out = Annotated[
    Path, typer.Option("-o", "--out", metavar="DIR", help="Folder to make.", show_default=False)
]
MIB = 1 << 20


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "export")(export)


def export(screen: Screen, *, run: Run, layout: Layout, out: Out) -> None:
    """Write an adapter in the layout of another program.

    Its README.md says how to load it there.
    """
    from samplar.api.export import export as write
    from samplar.prediction.adapter import read_card

    with no_empty_folder(out), screen.progress() as progress:
        weights_ready(screen, progress, read_card(run).weights)
        done = write(run, out, kind=layout)
    names = [str(path.relative_to(out)) for path in done.files]
    screen.result(
        {"out": str(out), "format": layout, "files": names, "bytes": done.size},
        f"{', '.join(names)} in {out}, {done.size / MIB:.1f} MiB",
    )
