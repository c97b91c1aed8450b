"""Small JSON and YAML files, perhaps written by hand: bounded, strict, never executed."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from samplar.config.plain_yaml import RepeatedKeysError, parse_yaml
from samplar.errors import InputError
from samplar.io.wording import few

MAX_BYTES = 1 << 20


def read_json(path: Path) -> Any:
    """Read a JSON file of at most 1 MiB; numbers are finite.

    Raises:
        InputError: `document.unreadable` (missing, too large, not UTF-8, not JSON) or
            `document.duplicate_key`.
    """
    text = read_text(path)
    try:
        return json.loads(
            text,
            object_pairs_hook=lambda pairs: _unique(pairs, path),
            parse_float=_finite,
            parse_constant=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, f"not valid JSON: {error}") from error


def read_yaml(path: Path) -> Any:
    """Read a YAML file of at most 1 MiB, without aliases, tags or repeated keys.

    Raises:
        InputError: `document.unreadable` or `document.duplicate_key`.
    """
    text = read_text(path)
    try:
        return parse_yaml(text)
    except RepeatedKeysError as error:
        raise _repeated(error.keys, path) from error
    except ValueError as error:
        raise _unreadable(path, f"not valid YAML: {error}") from error


def write_yaml_text(values: dict[str, Any]) -> str:
    """Return values as YAML in the order given, one key a line."""
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=False)


def read_text(path: Path) -> str:
    """Read a UTF-8 text file of at most 1 MiB.

    Raises:
        InputError: `document.unreadable`.
    """
    try:
        if not path.is_file():
            raise _unreadable(path, "not a regular file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise _unreadable(path, f"{size} bytes, more than the {MAX_BYTES} allowed")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, f"cannot be read: {error}") from error


def _unreadable(path: Path, reason: str) -> InputError:
    return InputError(
        reason, fix="Correct the file, or remove it", code="document.unreadable", path=path
    )


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _unique(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    repeated = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    if repeated:
        raise _repeated(repeated, path)
    return dict(pairs)


def _repeated(keys: list[str], path: Path) -> InputError:
    return InputError(
        f"keys that appear more than once: {few(keys)}",
        fix="Keep one of each",
        code="document.duplicate_key",
        path=path,
    )
