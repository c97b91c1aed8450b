"""The part of YAML that people write: no tags, no aliases, no surprises.

YAML 1.1 reads `0012` as ten, `12:30` as 750 and `1_0` as ten. For the name of a case that is
another case, so that such numbers are refused unless they are in quotes.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import yaml

MAX_DEPTH = 50
_PLAIN_NUMBER = re.compile(
    r"[-+]?(0|[1-9]\d*)(\.\d*)?(e[-+]?\d+)?|[-+]?\.\d+(e[-+]?\d+)?|[-+]?\.(inf|nan)", re.IGNORECASE
)
_NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same grammar, many times as fast


class RepeatedKeysError(ValueError):
    """Keys that a mapping has more than once."""

    def __init__(self, keys: list[str]) -> None:
        super().__init__(*keys)
        self.keys = keys


def parse_yaml(text: str) -> Any:
    """Return the one document in a text; None for an empty one.

    Raises:
        RepeatedKeysError: a mapping has a key twice.
        ValueError: anything else that is not plain YAML, in one line.
    """
    try:
        _check_events(text)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_node(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, OverflowError, TypeError) as error:
        raise ValueError(" ".join(str(error).split())) from error


def _check_events(text: str) -> None:
    """Refuse tags, aliases and deep nesting before anything is built: the builders recurse."""
    depth = 0
    event: Any  # the stubs know neither tags nor that these have a place
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ValueError(f"line {_line(event)} uses YAML anchors or aliases")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise ValueError(f"line {_line(event)} uses the YAML tag {tag}")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ValueError(f"line {_line(event)} is nested deeper than {MAX_DEPTH}")


def _check_node(node: yaml.Node) -> None:
    if isinstance(node, yaml.ScalarNode):
        if node.tag in _NUMBERS and not _PLAIN_NUMBER.fullmatch(node.value):
            raise ValueError(
                f"line {_line(node)}: put {node.value} in quotes, or write a plain number"
            )
        return
    children = node.value
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        repeated = [key for key, count in Counter(keys).items() if count > 1]
        if repeated:
            raise RepeatedKeysError(repeated)
        children = [child for pair in node.value for child in pair]
    for child in children:
        _check_node(child)


def _line(of: yaml.Event | yaml.Node) -> int:
    """Return the line on which it begins, counted from 1."""
    mark = of.start_mark
    return 0 if mark is None else mark.line + 1
