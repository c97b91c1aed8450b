"""The base of every settings model, and the one place where settings are read and refused."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from samplar.errors import UsageError

M = TypeVar("M", bound=BaseModel)


class Strict(BaseModel):
    """Settings that refuse unknown keys and non-finite numbers, and never change once made."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _complete_tables(cls, values: Any) -> Any:
        """Put a table given in part over the default of its field, not over its class's default."""
        if not isinstance(values, dict):
            return values
        defaults = {name: field.default for name, field in cls.model_fields.items()}
        parts = {
            name: merged(default.model_dump(), values[name])
            for name, default in defaults.items()
            if isinstance(default, BaseModel) and isinstance(values.get(name), dict)
        }
        return {**values, **parts}


def build(model: type[M], values: dict[str, Any], *, path: str | None = None) -> M:
    """Make a settings model from plain values.

    Raises:
        UsageError: `config.invalid`, naming every wrong key and value in one line.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(_describe(model, entry) for entry in error.errors())
        raise UsageError(
            problems, fix="Correct these settings", code="config.invalid", path=path
        ) from error


def _describe(model: type[BaseModel], entry: Any) -> str:
    where = ".".join(str(part) for part in entry["loc"])
    if entry["type"] == "extra_forbidden":
        return f"{where} is not a setting{nearest(where, _fields_at(model, entry['loc'][:-1]))}"
    return f"{where} = {entry['input']!r}: {entry['msg']}" if where else entry["msg"]


def _fields_at(model: type[BaseModel], parts: Iterable[str | int]) -> Iterable[str]:
    """Return the names of the settings in the table that `parts` leads to."""
    for part in parts:
        field = model.model_fields.get(str(part))
        inner = None if field is None else field.annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return ()
        model = inner
    return model.model_fields


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `, did you mean X?` for the closest known word, or nothing."""
    close = difflib.get_close_matches(word.rpartition(".")[2], list(known), n=1)
    return f", did you mean {close[0]}?" if close else ""


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return `under` with the values of `over` put on top, tables within tables."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        result[key] = merged(dict(below or {}), value) if both else value
    return result
