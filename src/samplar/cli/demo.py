"""`samplar demo`: the whole way on a public brain, from four labelled slices to a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from samplar.cli.fetching import on_bytes, weights_ready
from samplar.cli.options import DeviceOption, SeedOption, WeightsOption
from samplar.cli.outputs import no_empty_folder
from samplar.cli.screen import Screen
from samplar.cli.telling import telling
from samplar.cli.verb import verb

if TYPE_CHECKING:
    from samplar.api.demo import Demonstration

Out = Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Folder to make.")]
Preset = Annotated[
    Literal["auto", "fast", "standard", "paper"],
    typer.Option(help="How much to compute; fast takes minutes without a GPU."),
]
Source = Annotated[
    Path | None,
    typer.Option("--from", metavar="WHEEL", help="The nilearn wheel, for machines off line."),
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "demo")(demo)


def demo(
    screen: Screen,
    *,
    out: Out = Path("demo-run"),
    preset: Preset = "fast",
    weights: WeightsOption = None,
    seed: SeedOption = None,
    device: DeviceOption = None,
    source: Source = None,
) -> None:
    """Try everything on a public brain.

    Two tissues are learned from four slices of an average brain; the other slices are scored and
    a report is written.
    """
    from samplar.api.demo import SLICES, demonstrate, refuse_existing
    from samplar.cli.settings import fit_settings
    from samplar.io.demo import build_demo_dataset

    brain = out / "data" / "icbm152"
    flags = {"preset": preset, "weights": weights, "seed": seed, "device": device}
    settings = fit_settings(screen, {**flags, "dataset": brain})
    with no_empty_folder(out), screen.progress() as progress:
        refuse_existing(out)
        weights_ready(screen, progress, settings.weights)
        build_demo_dataset(brain, source=source, on_progress=on_bytes(progress, "fetching a brain"))
        with telling(screen, progress) as told:
            done = demonstrate(
                brain,
                out,
                slices=SLICES,
                settings={k: getattr(settings, k) for k in ("weights", "seed", "device")},
                preset=settings.preset,
                told=told,
            )
    screen.result(_document(done), _text(done))


def _document(done: Demonstration) -> dict[str, Any]:
    from samplar.api.demo import NOTE

    return {
        "report": str(done.page),
        "run": str(done.run),
        "scores": {name: e.mean.model_dump() for name, e in done.evaluations.items()},
        "seconds": done.seconds,
        "note": NOTE,
    }


def _text(done: Demonstration) -> str:
    from samplar.api.demo import METHOD, NOTE
    from samplar.report.data import MethodResult
    from samplar.report.tables import score_table

    table = score_table(
        [
            MethodResult(name=name, baseline=name != METHOD, evaluation=evaluation)
            for name, evaluation in done.evaluations.items()
        ]
    )
    return f"{table.text()}\n{NOTE}\n\nreport in {done.page}, after {done.seconds:.0f} s"
