"""The page of settings says what the source says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from samplar.config.fit import PRESETS, FitConfig
from samplar.methods.registry import cards, load_method
from samplar.report.facts import flatten

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
SIGNS = {"gt": "> ", "ge": ">= ", "lt": "< ", "le": "<= ", "multiple_of": "multiple of "}


def rows_of(made: BaseModel, *, under: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield name, default and allowed values of every setting, nested ones with dots."""
    plain = json.loads(made.model_dump_json())
    for name, field in type(made).model_fields.items():
        value = getattr(made, name)
        if isinstance(value, BaseModel):
            yield from rows_of(value, under=f"{under}{name}.")
        else:
            default = "required" if field.is_required() else f"`{json.dumps(plain[name])}`"
            yield f"`{under}{name}`", default, allowed(field)


def allowed(field: FieldInfo) -> str:
    """Write which values a setting takes, as the page does."""
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(field.annotation))
    bounds = [
        f"{sign}{bound}"
        for part in field.metadata
        for name, sign in SIGNS.items()
        if (bound := getattr(part, name, None)) is not None
    ]
    return ", ".join(bounds)


def section(title: str, *, depth: int = 2) -> list[list[str]]:
    """Return the cells of the table rows in a section of the page, without those below it."""
    text = PAGE.read_text(encoding="utf-8")
    start = text.index(f"\n{'#' * depth} {title}\n") + 1
    body = re.split(r"\n#", text[start:], maxsplit=1)[0]
    lines = [line for line in body.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_settings_of_a_fit_are_those_of_the_source():
    stated = [row for title in ("The fit", "Training", "Synthesis") for row in section(title)]
    expected = {name: (name, *rest) for name, *rest in rows_of(FitConfig(dataset=Path("x")))}
    assert {row[0]: tuple(row[:3]) for row in stated} == expected
    assert len(stated) == len(expected)
    assert all(row[3] for row in stated)


@pytest.mark.parametrize("name", sorted(cards()))
def test_the_settings_of_a_method_are_those_of_the_source(name):
    stated = [tuple(row[:3]) for row in section(name, depth=3)]
    assert stated == list(rows_of(load_method(name).config()))


def test_the_presets_are_those_of_the_source():
    stated = {row[0].strip("`"): row[1] for row in section("Presets")}
    expected = {
        name: ", ".join(f"`{setting}` {value}" for setting, value in flatten(values))
        for name, values in PRESETS.items()
    }
    assert stated == expected
