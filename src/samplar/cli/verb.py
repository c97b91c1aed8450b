"""What every verb shares: its `--json`, `--quiet`, `--debug`, and what happens when it fails."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Annotated, Any, TypeVar

import typer

from samplar.cli.exits import guard
from samplar.cli.screen import Screen

Verb = TypeVar("Verb", bound=Callable[..., int | None])

AsJson = Annotated[
    bool, typer.Option("--json", help="Write one JSON document to stdout, all else to stderr.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only results and errors.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def verb(app: typer.Typer, name: str) -> Callable[[Verb], Verb]:
    """Register a function as a verb.

    Its first parameter is the `Screen`; the others are what the user gives. It returns an exit
    status, or None for 0. The common options are added to the signature that typer sees.
    """

    def register(function: Verb) -> Verb:
        @wraps(function)
        def guarded(*, as_json: bool, quiet: bool, debug: bool, **given: Any) -> None:
            screen = Screen(as_json=as_json, quiet=quiet)
            status = guard(partial(function, screen, **given), screen, debug=debug)
            if status:
                raise typer.Exit(status)

        guarded.__signature__ = _with_common_options(function)  # type: ignore[attr-defined]
        app.command(name)(guarded)
        return function

    return register


def _with_common_options(function: Callable[..., Any]) -> inspect.Signature:
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in (("as_json", AsJson), ("quiet", Quiet), ("debug", Debug))
    ]
    named = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    return inspect.Signature([*named, *common])
