"""`samplar weights list|fetch|add|remove`: the base weights on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from samplar.cli.fetching import on_bytes
from samplar.cli.screen import Screen
from samplar.cli.verb import verb

if TYPE_CHECKING:
    from samplar.sam.cards import WeightsCard

Name = Annotated[str, typer.Argument(metavar="NAME", help="As in `samplar weights list`.")]
NewName = Annotated[
    str, typer.Argument(metavar="NAME", help="As in `samplar weights list`, or one of your own.")
]
Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="File, folder, https address, or hub:OWNER/REPO[/FILE][@REVISION].",
    ),
]
Like = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Known weights with the same pixel rule.  [default: of these sizes]"
    ),
]
MIB = 1 << 20


def register(app: typer.Typer) -> None:
    """Add the verbs under `weights`."""
    group = typer.Typer(
        help="List, fetch, add or remove base weights.", no_args_is_help=True, rich_markup_mode=None
    )
    verb(group, "list")(list_weights)
    verb(group, "fetch")(fetch)
    verb(group, "add")(add)
    verb(group, "remove")(remove)
    app.add_typer(group, name="weights")


def list_weights(screen: Screen) -> None:
    """List the known base weights and your own, and whether they are in the cache."""
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


def add(screen: Screen, *, name: NewName, source: Source, like: Like = None) -> None:
    """Put base weights into the cache: known ones from their file, or others under a new name."""
    from samplar.sam.weights import add_weights

    with screen.progress() as progress:
        told = on_bytes(progress, f"fetching {name}")
        path = add_weights(name, source, like=like, on_progress=told)
    _placed(screen, name, path)


def remove(screen: Screen, *, name: Name) -> None:
    """Take base weights out of the cache."""
    from samplar.sam.weights import remove_weights

    removed = remove_weights(name)
    text = "removed from the cache" if removed else "was not in the cache"
    screen.result({"name": name, "removed": removed}, f"{name}: {text}")


def _placed(screen: Screen, name: str, path: Path | None) -> None:
    from samplar.sam.weights import conversion_rules, find_card

    card, rules = find_card(name), conversion_rules(name)
    where = "made in memory when needed" if path is None else f"checked, in {path}"
    document = {
        "name": name,
        "path": _text(path),
        "rules": list(rules),
        "source": card.source,
        "revision": card.revision or None,
        "sha256": card.sha256,
        "like": card.like or None,
    }
    screen.result(document, "\n  ".join([f"{name}: {where}", *rules, *_likeness(card)]))


def _likeness(card: WeightsCard) -> Iterator[str]:
    if card.like:
        yield f"from {card.source}"
        yield f"{card.architecture}, {card.parameters:,} parameters, made for {card.image_size} px"
        yield f"pixel rule of {card.like}; --like names another"


def _line(row: dict[str, Any]) -> str:
    size = f", {row['size'] / MIB:.0f} MiB" if row["size"] else ""
    state = "ready" if row["present"] else "not fetched"
    return f"{row['name']}: {state}{size}. {row['title']}. {row['licence']}."


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
