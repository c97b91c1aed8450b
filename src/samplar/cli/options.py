"""Arguments and flags that several verbs share, so that they are called and explained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Subset = Literal["pool", "test"]

DatasetArgument = Annotated[
    Path, typer.Argument(metavar="DATASET", help="Folder of the data set.", show_default=False)
]
SplitOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="JSON of subjects: pool for exemplars, test for scores."),
]
SubsetOption = Annotated[
    Subset | None, typer.Option(help="Side of the split; test if only --split is given.")
]
CountOption = Annotated[
    int | None, typer.Option("-k", help="How many exemplars.  [default: 4]", show_default=False)
]
StrategyOption = Annotated[
    Literal["random", "most-classes", "diverse", "all"] | None,
    typer.Option(help="How exemplars are chosen.  [default: diverse]"),
]
ExemplarsOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="An exemplars.yaml, instead of -k and --strategy."),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        "--weights",
        "-W",
        help="Name in `samplar weights list`, file or folder.  [default: lite-medsam]",
    ),
]
SizeOption = Annotated[
    int | None, typer.Option(help="Side of SAM's frame in pixels.  [default: by the preset]")
]
SynthesisOption = Annotated[
    Literal["off", "light", "standard", "strong"] | None,
    typer.Option(help="Strength of the synthesis.  [default: standard]"),
]
PlaneOption = Annotated[
    Literal["auto", "axial", "coronal", "sagittal"] | None,
    typer.Option(help="Plane of the slices.  [default: auto]"),
]
ChannelsOption = Annotated[
    str | None, typer.Option(metavar="I,J,K", help="Image channels to use, counted from 0.")
]
IntensityOption = Annotated[
    str | None,
    typer.Option(
        metavar="RULE",
        help="auto, percentile[:LOW:HIGH], window:LOW:HIGH or range:LOW:HIGH.  [default: auto]",
    ),
]
PresetOption = Annotated[
    Literal["auto", "fast", "standard", "paper"] | None,
    typer.Option(help="How much to compute.  [default: auto]"),
]
ConfigOption = Annotated[
    Path | None, typer.Option(metavar="YAML", help="Settings, such as the config.yaml of a run.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Any setting; goes before all else. Repeatable."),
]
SeedOption = Annotated[int | None, typer.Option(help="Of every random draw.  [default: 0]")]
DeviceOption = Annotated[
    str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.  [default: auto]")
]
ProtocolOption = Annotated[
    Literal["strict", "samed"],
    typer.Option(help="Rules of scoring; samed is the published one, for comparison only."),
]
ToleranceOption = Annotated[
    float, typer.Option(metavar="MM", min=0, help="Tolerance of NSD, in mm (pixels for images).")
]
