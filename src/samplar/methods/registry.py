"""Which methods there are: the files of this folder, of the user's folders, and of entry points.

A card is read from the file's syntax tree, not by running it, so that `samplar methods` needs no
torch and listing a file can do no harm.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import sys
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from samplar.config.base import Strict, nearest
from samplar.errors import UsageError
from samplar.methods import contract, differences
from samplar.methods.contract import Card, Method

FOLDERS_VARIABLE = "SAMPLAR_METHODS"
"""Folders with method files of the user's own, separated as in PATH."""


def cards() -> dict[str, Card]:
    """Return the card of every method by name, sorted.

    Raises:
        UsageError: `methods.card` for an unreadable card, `methods.duplicate` for two of one name.
    """
    return {name: card for name, (card, _) in sorted(_found().items())}


def load_method(name: str) -> Method:
    """Import the file of a method and fill in the contract's defaults.

    Raises:
        UsageError: `methods.unknown`, with the nearest name.
    """
    found = _found()
    if name not in found:
        raise UsageError(
            f"there is no method {name!r}{nearest(name, found)}",
            fix=f"Choose one of: {', '.join(sorted(found))}",
            code="methods.unknown",
        )
    card, path = found[name]
    module = _import(path)
    return Method(
        card=card,
        config=getattr(module, "Config", Strict),
        attach=getattr(module, "attach", contract.attach_nothing),
        remember=getattr(module, "remember", contract.remember_nothing),
        logits=getattr(module, "logits", contract.decode_classes),
        loss=getattr(module, "loss", contract.default_loss),
        lr=getattr(module, "LR", contract.DEFAULT_LR),
        views=getattr(module, "VIEWS", ()),
        prompts=getattr(module, "prompts", None),
        rates=getattr(module, "rates", None),
        fit=getattr(module, "FIT", {}),
        presets=getattr(module, "PRESETS", {}),
        embeds=getattr(module, "EMBEDS", True),
        passes=getattr(module, "passes", None),
        around=getattr(module, "around", None),
        see=getattr(module, "see", None),
        taps=getattr(module, "taps", None),
        averages=getattr(module, "averages", None),
        settle=getattr(module, "settle", None),
    )


def _found() -> dict[str, tuple[Card, Path]]:
    found: dict[str, tuple[Card, Path]] = {}
    for path in _files():
        card = read_card(path)
        if card is None:
            continue
        if card.name in found:
            raise UsageError(
                f"the method name {card.name!r} is also used by {found[card.name][1]}",
                fix="Rename one of the two",
                code="methods.duplicate",
                path=path,
            )
        found[card.name] = (card, path)
    return found


def _files() -> list[Path]:
    folders = [Path(__file__).parent]
    folders += [Path(p) for p in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if p]
    files = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    return files + [_entry_file(point.module) for point in entry_points(group="samplar.methods")]


def _entry_file(module: str) -> Path:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # of the package that the module should be in
        spec = None
    if spec is None or spec.origin is None:
        raise UsageError(
            f"the entry point {module!r} names no module that is installed",
            fix="Reinstall the package that declares it",
            code="methods.card",
        )
    return Path(spec.origin)


def read_card(path: Path) -> Card | None:
    """Read `card = Card(...)` from a file; None if it has none.

    Raises:
        UsageError: `methods.card`, for a file that is not Python or a card that is not literal.
    """
    try:
        return _card_in(path.read_text(encoding="utf-8"), path)
    except (SyntaxError, ValueError) as error:
        raise UsageError(
            f"this file is not Python ({error})",
            fix="Correct it, or move it out of the folder of methods",
            code="methods.card",
            path=path,
        ) from error


@lru_cache(maxsize=256)
def _card_in(text: str, path: Path) -> Card | None:
    """Look for the card in the text of a file; parsing all of them takes 30 ms, so only once."""
    tree = ast.parse(text)
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["card"]:
            return _literal_card(node.value, path)
    return None


def _literal_card(call: ast.expr, path: Path) -> Card:
    try:
        keywords = call.keywords if isinstance(call, ast.Call) else []
        return Card(**{str(k.arg): _literal(k.value) for k in keywords})
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"the card cannot be read: {error}",
            fix="Write card = Card(name=..., title=..., ...) with literal values only",
            code="methods.card",
            path=path,
        ) from error


def _literal(value: ast.expr) -> Any:
    """Evaluate a literal, in which names of `differences` may stand."""
    return ast.literal_eval(_Shared().visit(value))


class _Shared(ast.NodeTransformer):
    """Writes what a name of `differences` stands for in its place."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        found = vars(differences).get(node.id) if node.id.isupper() else None
        return node if found is None else ast.parse(repr(found), mode="eval").body


def _import(path: Path) -> ModuleType:
    if path.parent == Path(__file__).parent:
        return importlib.import_module(f"samplar.methods.{path.stem}")
    spec = importlib.util.spec_from_file_location(f"samplar_method_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(
            "this file cannot be imported", fix="Give a .py file", code="methods.card", path=path
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where pydantic looks up the names in annotations
    spec.loader.exec_module(module)
    return module
