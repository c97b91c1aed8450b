"""`samplar synth`: look at what the synthesis would train on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from samplar.cli.fetching import weights_for_choice
from samplar.cli.options import (
    ChannelsOption,
    ConfigOption,
    CountOption,
    DatasetArgument,
    ExemplarsOption,
    IntensityOption,
    PlaneOption,
    SeedOption,
    SetOption,
    SizeOption,
    SplitOption,
    StrategyOption,
    SynthesisOption,
    WeightsOption,
)
from samplar.cli.screen import Screen
from samplar.cli.telling import telling
from samplar.cli.verb import verb

Preview = Annotated[Path, typer.Option(metavar="PNG", help="Picture to write.", show_default=False)]
Images = Annotated[int, typer.Option("-n", min=1, max=600, help="How many synthetic images.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "synth")(synth)


def synth(
    screen: Screen,
    *,
    dataset: DatasetArgument,
    preview: Preview,
    k: CountOption = None,
    images: Images = 24,
    exemplars: ExemplarsOption = None,
    strategy: StrategyOption = None,
    split: SplitOption = None,
    weights: WeightsOption = None,
    synthesis: SynthesisOption = None,
    size: SizeOption = None,
    plane: PlaneOption = None,
    channels: ChannelsOption = None,
    intensity: IntensityOption = None,
    config: ConfigOption = None,
    sets: SetOption = None,
    seed: SeedOption = None,
) -> None:
    """Draw what the synthesis makes of the exemplars."""
    from samplar.api.exemplars import choose_exemplars
    from samplar.api.report import synthesis_sheet
    from samplar.cli.settings import channel_numbers, fit_settings, strength
    from samplar.io.atomic import ensure_writable, write_bytes

    flags = {
        "dataset": dataset,
        "k": k,
        "exemplars": exemplars,
        "strategy": strategy,
        "split": split,
        "weights": weights,
        "synthesis": strength(synthesis),
        "size": size,
        "plane": plane,
        "channels": channel_numbers(channels),
        "intensity": intensity,
        "seed": seed,
        "preset": "fast",
    }
    settings = fit_settings(screen, flags, config=config, sets=sets)
    ensure_writable(preview.parent)
    with screen.progress() as progress, telling(screen, progress) as told:
        weights_for_choice(screen, progress, settings)
        chosen = choose_exemplars(settings, told=told)
    write_bytes(preview, synthesis_sheet(chosen.exemplars, settings, count=images))
    count = len(chosen.exemplars)
    document = {"preview": str(preview), "exemplars": count, "images": images}
    screen.result(document, f"{count} exemplars and {images} synthetic images in {preview}")
