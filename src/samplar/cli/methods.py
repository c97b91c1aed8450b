"""`samplar methods`: what can be put on a SAM."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from samplar.cli.screen import Screen
from samplar.cli.verb import verb

Name = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Show all that is known of this method.")
]
Weights = Annotated[
    str | None, typer.Option("--weights", "-W", help="Count what trains on these base weights.")
]
Classes = Annotated[int, typer.Option(min=1, max=64, help="Foreground classes to count for.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "methods")(methods)


def methods(
    screen: Screen, *, name: Name = None, weights: Weights = None, classes: Classes = 1
) -> None:
    """List the methods that can be put on a SAM, or show the page of one."""
    from samplar.api.method_page import describe_method
    from samplar.api.methods import list_methods

    if name is not None:
        screen.result(*describe_method(name, weights=weights, classes=classes))
        return
    rows = list_methods(weights=weights, classes=classes)
    screen.result(rows, "\n\n".join(map(_entry, rows)))


def _entry(row: dict[str, Any]) -> str:
    count = row["trainable_parameters"]
    trained = "" if count is None else f"\n  trains {count:,} numbers"
    return (
        f"{row['name']}: {row['title']}\n  {row['paper']}\n"
        f"  plugs into {row['plugs_in']}; prompts {row['prompts']}; "
        f"licence {row['licence_note']}{trained}"
    )
