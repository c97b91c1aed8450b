"""`samplar exemplars`: choose the slices to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from samplar.cli.fetching import weights_for_choice
from samplar.cli.options import (
    ChannelsOption,
    CountOption,
    DatasetArgument,
    DeviceOption,
    IntensityOption,
    PlaneOption,
    SeedOption,
    SplitOption,
    StrategyOption,
    WeightsOption,
)
from samplar.cli.screen import Screen
from samplar.cli.telling import telling
from samplar.cli.verb import verb

if TYPE_CHECKING:
    from samplar.api.exemplars import Chosen

Out = Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="Where to list them.")]
Preview = Annotated[
    Path | None, typer.Option(metavar="PNG", help="Also draw them with their labels.")
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "exemplars")(exemplars)


def exemplars(
    screen: Screen,
    *,
    dataset: DatasetArgument,
    out: Out = Path("exemplars.yaml"),
    k: CountOption = None,
    strategy: StrategyOption = None,
    split: SplitOption = None,
    preview: Preview = None,
    weights: WeightsOption = None,
    plane: PlaneOption = None,
    channels: ChannelsOption = None,
    intensity: IntensityOption = None,
    seed: SeedOption = None,
    device: DeviceOption = None,
) -> None:
    """Choose the slices to learn from.

    They are chosen as `fit` would, and listed in a file to look at, edit, and give to `fit`.
    """
    from samplar.api.exemplars import choose_exemplars, exemplar_sheet
    from samplar.cli.settings import channel_numbers, fit_settings
    from samplar.exemplars.manifest import write_manifest
    from samplar.io.atomic import ensure_writable, write_bytes

    flags = {
        "dataset": dataset,
        "k": k,
        "strategy": strategy,
        "split": split,
        "weights": weights,
        "plane": plane,
        "channels": channel_numbers(channels),
        "intensity": intensity,
        "seed": seed,
        "device": device,
        "preset": "fast",
    }
    settings = fit_settings(screen, flags)
    ensure_writable(out.parent)
    with screen.progress() as progress, telling(screen, progress) as told:
        weights_for_choice(screen, progress, settings)
        chosen = choose_exemplars(settings, told=told)
    write_manifest(out, chosen.manifest)
    if preview is not None:
        write_bytes(preview, exemplar_sheet(chosen.exemplars))
    _tell(screen, chosen, out, preview)


def _tell(screen: Screen, chosen: Chosen, out: Path, preview: Path | None) -> None:
    entries = [entry.model_dump() for entry in chosen.manifest.exemplars]
    document = {
        "file": str(out),
        "preview": None if preview is None else str(preview),
        "digest": chosen.exemplars.digest,
        "exemplars": entries,
    }
    lines = [f"{entry['case']}, slice {entry['slice']}" for entry in entries]
    screen.result(document, "\n".join([*lines, f"listed in {out}"]))
