"""`samplar tiles cut|join`: whole slides as a data set of tiles, and labels back to the slide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from samplar.cli.outputs import no_empty_folder
from samplar.cli.progress import Progress
from samplar.cli.screen import Screen
from samplar.cli.verb import verb

Slides = Annotated[list[Path], typer.Argument(metavar="SLIDE...", help="Tiled TIFF files.")]
Slide = Annotated[Path, typer.Argument(metavar="SLIDE", help="The slide that was cut.")]
Labels = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Folder with label TIFFs, named as the slides.", show_default=False
    ),
]
Predicted = Annotated[
    Path,
    typer.Argument(metavar="LABELS", help="Folder with labels of its tiles."),
]
Folder = Annotated[
    Path, typer.Option("-o", "--out", metavar="DIR", help="Data set to make.", show_default=False)
]
File = Annotated[
    Path, typer.Option("-o", "--out", metavar="FILE", help="TIFF to write.", show_default=False)
]
Level = Annotated[
    int, typer.Option(metavar="N", min=0, help="Which resolution is cut; 0 is the finest.")
]
Side = Annotated[int, typer.Option(metavar="PX", min=16, help="Side of a tile.")]
Middle = Annotated[
    int, typer.Option(metavar="PX", min=16, help="Side of the part of a tile that is kept.")
]
Tissue = Annotated[
    float,
    typer.Option(metavar="SHARE", min=0, max=1, help="Leave out tiles with less tissue than this."),
]


def register(app: typer.Typer) -> None:
    """Add the verbs under `tiles`."""
    group = typer.Typer(
        help="Cut whole slides into tiles, or join their labels.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    verb(group, "cut")(cut)
    verb(group, "join")(join)
    app.add_typer(group, name="tiles")


def cut(
    screen: Screen,
    *,
    slides: Slides,
    out: Folder,
    labels: Labels = None,
    level: Level = 0,
    side: Side = 512,
    middle: Middle = 256,
    tissue: Tissue = 0.05,
) -> None:
    """Cut whole slides into tiles with their surroundings: a data set like any other."""
    from samplar.api.tiles import cut_slides, pair_labels

    pairs = pair_labels(slides, labels)
    with no_empty_folder(out), screen.progress() as progress:
        count = cut_slides(
            pairs,
            out,
            level=level,
            side=side,
            middle=middle,
            tissue=tissue,
            told=_shown(progress, "cutting"),
        )
    labelled = sum(found is not None for found in pairs.values())
    document = {"out": str(out), "slides": len(pairs), "labelled": labelled, "tiles": count}
    text = f"{count} tiles of {len(pairs)} slides, {labelled} of them with labels, in {out}"
    screen.result(document, text)


def join(
    screen: Screen,
    *,
    slide: Slide,
    predicted: Predicted,
    out: File,
    level: Level = 0,
    side: Side = 512,
    middle: Middle = 256,
) -> None:
    """Join the labels of a slide's tiles into one tiled TIFF; give the sides it was cut with."""
    from samplar.api.tiles import join_tiles
    from samplar.io.atomic import ensure_writable

    ensure_writable(out.parent)
    with screen.progress() as progress:
        join_tiles(
            predicted,
            slide,
            out,
            level=level,
            side=side,
            middle=middle,
            told=_shown(progress, "joining"),
        )
    screen.result({"slide": str(slide), "out": str(out)}, f"labels of {slide} in {out}")


def _shown(progress: Progress, what: str) -> Callable[[str, int, int], None]:
    def tell(slide: str, done: int, total: int) -> None:
        if done == 0:
            progress.stage(f"{what} {slide}", total)
        progress.step(done)

    return tell
