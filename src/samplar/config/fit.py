"""Everything that decides what a fit does, in one model; `config.yaml` of a run is this."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from samplar.config.base import Strict, build, merged
from samplar.config.plain_yaml import parse_yaml
from samplar.config.roi import RoiConfig
from samplar.config.synthesis import SynthesisConfig
from samplar.config.training import TrainingConfig
from samplar.config.trust import TrustConfig
from samplar.errors import UsageError

Preset = Literal["auto", "fast", "standard", "paper"]

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "size": 112,
        "method_config": {"blocks": "last:1"},
        "training": {"iterations": 200, "pool": 200, "batch": 8},
    },
    "standard": {
        "size": 224,
        "method_config": {"blocks": "last:1"},
        "training": {"iterations": 450, "pool": 180, "batch": 4},
    },
    "paper": {
        "size": 256,
        "method_config": {"blocks": "all"},
        "training": {
            "iterations": 4000,
            "pool": 4000,
            "batch": 24,
            "lr": 0.005,
            "warmup": 250,
            "memory": 4.0,
        },
    },
}
"""What each preset sets; whatever the user sets goes before it."""


class FitConfig(Strict):
    """One fit: data, exemplars, method, synthesis, training."""

    dataset: Path
    split: Path | None = None
    k: int = Field(default=4, ge=1, le=10_000)
    strategy: Literal["random", "most-classes", "diverse", "all"] = "diverse"
    """How exemplars are chosen; `all`: every labelled slice, and `k` is then not used."""
    exemplars: Path | None = None
    """An exemplars.yaml that names the slices; `k` and `strategy` are then not used."""
    method: str = "samplar"
    method_config: dict[str, Any] = Field(default_factory=dict)
    weights: str = "lite-medsam"
    size: int = Field(default=224, ge=32, le=2048, multiple_of=8)
    """Side of the square frame in which SAM sees a slice, in pixels."""
    plane: Literal["auto", "axial", "coronal", "sagittal"] = "auto"
    intensity: str = "auto"
    """auto, percentile, percentile:LOW:HIGH, window:LOW:HIGH or range:LOW:HIGH."""
    channels: tuple[int, ...] | None = None
    synthesis: SynthesisConfig = SynthesisConfig()
    roi: RoiConfig = RoiConfig()
    training: TrainingConfig = TrainingConfig()
    trust: TrustConfig = TrustConfig()
    preset: Preset = "auto"
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    device: str = "auto"


@dataclass(frozen=True)
class MethodDefaults:
    """What a method brings to the settings of a fit.

    Args:
        settings: the names its own settings have; a preset sets no others.
        lr: its learning rate, where neither the user nor the preset says another.
        fit: settings of a fit that go before those of the preset.
        presets: by preset, settings of a fit that go before all of these: what that preset means
            for this method.
    """

    settings: Collection[str]
    lr: float
    fit: Mapping[str, Any] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def fit_config(values: dict[str, Any], *, preset: str, method: MethodDefaults) -> FitConfig:
    """Build the settings of a fit: the user's values over the method's over those of a preset.

    A size that the user gives is the size: no other frame is then used in its place unless the
    user gives that as well.

    Args:
        values: what the user set, nested as the model is.
        preset: `fast`, `standard` or `paper`, already decided.
        method: what the chosen method brings.

    Raises:
        UsageError: `config.invalid`, all problems in one line.
    """
    under = dict(PRESETS[preset])
    of_method = under.pop("method_config")
    under["method_config"] = {k: v for k, v in of_method.items() if k in method.settings}
    under["training"] = {"lr": method.lr, **under["training"]}
    under = merged(merged(under, dict(method.fit)), dict(method.presets.get(preset, {})))
    if "size" in values:
        under = merged(under, {"roi": {"otherwise": None}})
    return build(FitConfig, merged(under, {**values, "preset": preset}))


def setting(text: str) -> dict[str, Any]:
    """Read `a.b=c` as nested tables; the value is YAML.

    Raises:
        UsageError: `config.set`.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(
            f"--set {text!r} has no name and value",
            fix="Write it as in --set training.lr=0.0005",
            code="config.set",
        )
    try:
        content: Any = parse_yaml(value)
    except ValueError as error:
        raise UsageError(
            f"--set {text!r}: the value is not plain YAML ({error})",
            fix="Put it in quotes",
            code="config.set",
        ) from error
    for part in reversed(name.split(".")):
        content = {part: content}
    return content
