"""`samplar doctor`: what this installation is and can do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from samplar.cli.screen import Screen
from samplar.cli.verb import verb


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "doctor")(doctor)


def doctor(screen: Screen) -> None:
    """Say what this installation is and can do."""
    from samplar.api.doctor import examine

    facts = examine()
    screen.result(facts, "\n".join(_lines(facts)))


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    yield ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    yield (
        f"{facts['threads']} threads, {facts['cores']} cores, {facts['memory_gib']} GiB of memory; "
        f"devices: {', '.join(facts['devices'])}"
    )
    yield (
        f"computes on {facts['device']} in {facts['precision']}; preset auto means "
        f"{facts['preset']}"
    )
    cache = facts["cache"]
    yield f"cache {cache['folder']}, {'writable' if cache['writable'] else 'NOT writable'}"
    ready = [f"{name} {'ready' if there else 'absent'}" for name, there in facts["weights"].items()]
    yield f"weights: {', '.join(ready)}"
    yield f"methods: {', '.join(name for name, loads in facts['methods'].items() if loads)}"
    yield from (f"problem: {problem}" for problem in facts["problems"])
    yield "ok" if facts["ok"] else f"{len(facts['problems'])} problems"
