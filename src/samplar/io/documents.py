"""Small JSON and YAML files, perhaps written by hand: bounded, strict, never executed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from samplar.errors import InputError
from samplar.io.wording import few

MAX_BYTES = 1 << 20


def read_json(path: Path) -> Any:
    """Read a JSON file of at most 1 MiB.

    Raises:
        InputError: `document.unreadable` (missing, too large, not UTF-8, not JSON) or
            `document.duplicate_key`.
    """
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _unique(pairs, path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise _unreadable(path, f"not valid JSON: {error}") from error


def read_yaml(path: Path) -> Any:
    """Read a YAML file of at most 1 MiB, without aliases, tags or repeated keys.

    Raises:
        InputError: `document.unreadable` or `document.duplicate_key`.
    """
    text = read_text(path)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_repeats(node, path, seen=set())
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise _unreadable(path, f"not valid YAML: {reason}") from error


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


def _unique(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    _refuse_repeated_keys((key for key, _ in pairs), path)
    return dict(pairs)


def _refuse_repeated_keys(keys: Iterable[str], path: Path) -> None:
    repeated = [key for key, count in Counter(keys).items() if count > 1]
    if repeated:
        raise InputError(
            f"keys that appear more than once: {few(repeated)}",
            fix="Keep one of each",
            code="document.duplicate_key",
            path=path,
        )


def _refuse_repeats(node: yaml.Node | None, path: Path, *, seen: set[int]) -> None:
    """Walk the YAML tree once; a node met twice is an alias, which a plain file has no use for."""
    if not isinstance(node, yaml.CollectionNode):
        return
    if id(node) in seen:
        raise _unreadable(path, "uses YAML aliases")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys = (key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        _refuse_repeated_keys(keys, path)
        children = [child for pair in node.value for child in pair]
    else:
        children = node.value
    for child in children:
        _refuse_repeats(child, path, seen=seen)
