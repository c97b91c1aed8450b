"""The section on the run itself: what it cost, how it was set up, what it ran on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from samplar.report.blocks import fold, section
from samplar.report.data import ReportData, Resources
from samplar.report.markup import Html, element

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def run_facts(data: ReportData) -> Html:
    """Write time and memory, with settings and versions folded away."""
    parts = []
    if cost := _cost(data.resources):
        entries = [element("div", element("dt", k), element("dd", v)) for k, v in cost]
        parts.append(element("dl.stats", *entries))
    for title, pairs in (
        ("Settings", flatten(data.settings)),
        ("Versions", list(data.versions.items())),
    ):
        if pairs:
            parts.append(fold(title, _pairs(pairs)))
    return section("Run", *parts) if parts else Html("")


def _cost(resources: Resources) -> list[tuple[str, str]]:
    facts = [
        ("Device", resources.device),
        ("Training time", duration(resources.fit_seconds)),
        ("Prediction time per case", duration(resources.predict_seconds_per_case)),
        ("Peak memory", size(resources.peak_memory_bytes)),
        ("Trained parameters", _thousands(resources.trainable_parameters)),
        ("Adapter", size(resources.adapter_bytes)),
    ]
    return [(name, value) for name, value in facts if value is not None]


def flatten(settings: Mapping[str, JsonValue], *, under: str = "") -> list[tuple[str, str]]:
    """Turn nested settings into dotted names with their values, in order."""
    pairs: list[tuple[str, str]] = []
    for key, value in settings.items():
        name = f"{under}{key}"
        if isinstance(value, dict):
            pairs += flatten(value, under=f"{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            pairs.append((name, text))
    return pairs


def duration(seconds: float | None) -> str | None:
    """Write a time as a reader would say it: `0.42 s`, `38 s`, `12 min 5 s`, `2 h 3 min`."""
    if seconds is None:
        return None
    if seconds < 10:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(count: int | None) -> str | None:
    """Write a number of bytes with three digits and a binary unit."""
    if count is None:
        return None
    power = 0
    value = float(count)
    while value >= 1000 and power < len(UNITS) - 1:
        value, power = value / 1024, power + 1
    return f"{value:.3g} {UNITS[power]}"


def _thousands(count: int | None) -> str | None:
    return None if count is None else f"{count:,}"


def _pairs(pairs: Sequence[tuple[str, str]]) -> Html:
    rows = [
        element("tr", element("th", name, attributes={"scope": "row"}), element("td.code", value))
        for name, value in pairs
    ]
    return element("div.scroll", element("table.pairs", element("tbody", *rows)))
