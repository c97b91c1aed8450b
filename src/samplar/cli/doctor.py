"""`samplar doctor`: what this installation is and can do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from samplar.cli.check import NOT_OK
from samplar.cli.screen import Screen
from samplar.cli.verb import verb
from samplar.errors import UsageError

PrivacyOption = Annotated[
    Path | None,
    typer.Option(metavar="ADAPTER", help="Look through an adapter for names, dates and texts."),
]
DatasetOption = Annotated[
    Path | None,
    typer.Option(metavar="DATASET", help="With --privacy: look for every name of this data set."),
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "doctor")(doctor)


def doctor(
    screen: Screen, *, privacy: PrivacyOption = None, dataset: DatasetOption = None
) -> int | None:
    """Say what this installation is and can do, or what an adapter gives away."""
    if privacy is not None:
        return _look_through(screen, privacy, dataset)
    if dataset is not None:
        raise UsageError(
            "--dataset says whose names to look for, but not where",
            fix="Give the adapter too, as --privacy ADAPTER",
            code="privacy.adapter",
        )
    from samplar.api.doctor import examine

    facts = examine()
    screen.result(facts, "\n".join(_lines(facts)))
    return None


def _look_through(screen: Screen, adapter: Path, dataset: Path | None) -> int:
    from samplar.api.privacy import examine_privacy

    report = examine_privacy(adapter, dataset)
    lines = [f"{report.folder}: {', '.join(report.files)}; {report.names} names looked for"]
    for found in report.findings:
        where = f"{found.file}: " if found.file else ""
        lines.append(f"{found.severity}: {where}{found.problem}. {found.fix}. [{found.code}]")
    lines.append("ok" if report.ok else "not ok: this folder says more than it should")
    screen.result(report.model_dump(mode="json"), "\n".join(lines))
    return 0 if report.ok else NOT_OK


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
