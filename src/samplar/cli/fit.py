"""`samplar fit`: adapt a SAM to a few exemplars."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from samplar.cli.fetching import weights_ready
from samplar.cli.going_on import same_command, told_to_go_on
from samplar.cli.options import (
    ChannelsOption,
    ConfigOption,
    CountOption,
    DatasetArgument,
    DeviceOption,
    ExemplarsOption,
    IntensityOption,
    PlaneOption,
    PresetOption,
    SeedOption,
    SetOption,
    SizeOption,
    SplitOption,
    StrategyOption,
    SynthesisOption,
    WeightsOption,
)
from samplar.cli.outputs import no_empty_folder
from samplar.cli.screen import Screen
from samplar.cli.telling import telling
from samplar.cli.verb import verb

if TYPE_CHECKING:
    from samplar.api.fit import Fitted
    from samplar.config.fit import FitConfig

Run = Annotated[
    Path, typer.Option("-o", "--out", metavar="RUN", help="Run folder to make.", show_default=False)
]
Method = Annotated[
    str | None,
    typer.Option("--method", "-M", help="See `samplar methods`.  [default: samplar]"),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the run in RUN, by its own settings.")
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "fit")(fit)


def fit(
    screen: Screen,
    *,
    dataset: DatasetArgument,
    out: Run,
    k: CountOption = None,
    method: Method = None,
    weights: WeightsOption = None,
    split: SplitOption = None,
    strategy: StrategyOption = None,
    exemplars: ExemplarsOption = None,
    preset: PresetOption = None,
    size: SizeOption = None,
    synthesis: SynthesisOption = None,
    plane: PlaneOption = None,
    channels: ChannelsOption = None,
    intensity: IntensityOption = None,
    config: ConfigOption = None,
    sets: SetOption = None,
    seed: SeedOption = None,
    device: DeviceOption = None,
    resume: Resume = False,
) -> None:
    """Adapt a SAM to a few exemplars of a data set.

    Flags go before --config, and --config before the preset.
    """
    from samplar.cli.settings import channel_numbers, fit_settings, strength

    flags: dict[str, Any] = {
        "dataset": dataset,
        "k": k,
        "method": method,
        "weights": weights,
        "split": split,
        "strategy": strategy,
        "exemplars": exemplars,
        "preset": preset,
        "size": size,
        "synthesis": strength(synthesis),
        "plane": plane,
        "channels": channel_numbers(channels),
        "intensity": intensity,
        "seed": seed,
        "device": device,
    }
    with told_to_go_on(lambda: _resuming(dataset, out)):
        settings = fit_settings(screen, flags, config=config or _earlier(out, resume), sets=sets)
        fitted = _fit(screen, settings, out, resume=resume)
    _tell(screen, settings, fitted)


def _earlier(out: Path, resume: bool) -> Path | None:
    """Return the settings of the run to go on with, so that the flags need not be repeated."""
    return _settings(out) if resume else None


def _settings(out: Path) -> Path | None:
    path = out / "config.yaml"
    return path if path.is_file() else None


def _resuming(dataset: Path, out: Path) -> str:
    """Return the command that goes on: with all flags if they are written down nowhere yet."""
    if _settings(out) is None:
        return same_command("--resume")
    return shlex.join(["samplar", "fit", str(dataset), "-o", str(out), "--resume"])


def _fit(screen: Screen, settings: FitConfig, out: Path, *, resume: bool) -> Fitted:
    from samplar.api.fit import fit as fit_now

    with no_empty_folder(out), screen.progress() as progress:
        weights_ready(screen, progress, settings.weights)
        screen.note(f"fitting {settings.method} on {settings.weights} to {settings.dataset.name}")
        with telling(screen, progress) as told:
            return fit_now(settings, out, told=told, resume=resume)


def _tell(screen: Screen, settings: FitConfig, fitted: Fitted) -> None:
    run = str(fitted.run.path)
    command = shlex.join(["samplar", "predict", run, "IMAGES", "-o", "predictions"])
    document = {
        "run": run,
        "adapter": str(fitted.run.adapter),
        "report": str(fitted.page),
        "method": settings.method,
        "preset": settings.preset,
        "seconds": {"preparing": fitted.preparing, "adapting": fitted.adapting},
        "estimate": None if fitted.estimate is None else asdict(fitted.estimate),
        "cost": fitted.cost,
        "next": command,
    }
    screen.result(document, f"run in {run}, report in {fitted.page}; next: {command}")
