"""From flags, --config and a preset to the settings of a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from samplar.cli.screen import Screen
from samplar.config.base import merged
from samplar.config.fit import PRESETS, FitConfig, fit_config, setting
from samplar.errors import InputError, UsageError
from samplar.io.documents import read_yaml
from samplar.methods.registry import load_method


def fit_settings(
    screen: Screen,
    flags: Mapping[str, Any],
    *,
    config: Path | None = None,
    sets: Sequence[str] | None = None,
) -> FitConfig:
    """Return the settings: --set over flags over --config over the preset.

    Args:
        screen: told which preset `auto` stands for.
        flags: values by the name of their setting; None where a flag was not given.
        config: a YAML file of settings.
        sets: each `a.b=c`.

    Raises:
        UsageError: `config.*`.
        InputError: `document.*`.
    """
    values = merged(_read(config), {k: v for k, v in flags.items() if v is not None})
    for text in sets or ():
        values = merged(values, setting(text))
    wanted = values.get("method", FitConfig.model_fields["method"].default)
    method = load_method(str(wanted))
    made = fit_config(
        values,
        preset=_preset(values.get("preset", "auto"), screen),
        method=method.defaults,
    )
    places = {
        name: place.absolute()
        for name in ("dataset", "split", "exemplars")
        if (place := getattr(made, name)) is not None
    }
    return made.model_copy(update=places)


def channel_numbers(text: str | None) -> tuple[int, ...] | None:
    """Read `0,1,2`.

    Raises:
        UsageError: `config.channels`.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise UsageError(
            f"--channels {text!r} is not a list of channel numbers",
            fix="Write it as in --channels 0,1,2",
            code="config.channels",
        )
    return tuple(map(int, parts))


def strength(name: str | None) -> dict[str, str] | None:
    """Return the setting that --synthesis stands for."""
    return None if name is None else {"strength": name}


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise InputError(
            "these are not settings",
            fix="Write lines such as method: samed",
            code="config.shape",
            path=path,
        )
    return values


def _preset(wanted: Any, screen: Screen) -> str:
    if isinstance(wanted, str) and wanted in PRESETS:
        return wanted
    if wanted != "auto":
        raise UsageError(
            f"preset = {wanted!r} is not known",
            fix=f"Use auto, {', '.join(PRESETS)}",
            code="config.preset",
        )
    from samplar.training.presets import decide_preset, this_machine

    preset, reason = decide_preset(this_machine())
    screen.note(f"preset {preset}: {reason}")
    return preset
