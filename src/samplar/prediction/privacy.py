"""What an adapter folder gives away: everything in it that is not a number or a declared field."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from safetensors import safe_open

from samplar.config.base import Strict
from samplar.errors import InputError
from samplar.io.checks.finding import Finding, from_error, note, warning
from samplar.io.wording import few
from samplar.prediction.adapter import (
    CARD,
    README,
    TENSORS,
    AdapterCard,
    adapter_folder,
    read_card,
    read_tensors,
    readme,
)

FILES = {CARD, TENSORS, README}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DATE = re.compile(
    r"(?<!\d)(19|20)\d\d([-/.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)"
    r"|(?<!\d)(0[1-9]|[12]\d|3[01])[-/.](0[1-9]|1[0-2])[-/.](19|20)\d\d(?!\d)"
)
_LEAST = 4  # shorter names, such as the subject 7, stand in any text by chance
_REFIT = "Fit again with this version of samplar: it writes digests only"
_RENAME = "Rename it in the data set and fit again, before the adapter is given away"


class PrivacyReport(Strict):
    """What was looked through and what was found.

    Attributes:
        ok: False if any finding is an error.
        folder: the adapter folder.
        files: what is in it, by name, with sizes in bytes.
        names: how many names of a data set were looked for.
        findings: errors first.
    """

    ok: bool
    folder: str
    files: dict[str, int]
    names: int
    findings: tuple[Finding, ...]


def look_through(folder: Path, names: Collection[str] = ()) -> PrivacyReport:
    """Look through every file of an adapter folder for what does not belong there.

    Args:
        folder: an adapter folder or the run folder around it.
        names: names that must not occur: of cases, subjects and files, texts of image headers.

    Raises:
        WeightsError: `adapter.*`, if it is no whole adapter with the declared fields and no other.
    """
    place = adapter_folder(folder)
    card = read_card(place)
    read_tensors(place, card)  # the tensors are those that were saved, or it is refused
    wanted = {name for name in names if len(name) >= _LEAST}
    found = [
        *_files(place),
        *_exemplars(card, place),
        *_texts(card, place),
        *_readme(card, place),
        *_header(place),
        *_names(wanted, place),
    ]
    if len(wanted) < len(names):
        short = sorted(set(names) - wanted)
        problem = f"{len(short)} names of fewer than {_LEAST} letters were not looked for"
        found.append(note("privacy.short", problem))
    order = ("error", "warning", "note")
    return PrivacyReport(
        ok=all(finding.severity != "error" for finding in found),
        folder=str(place),
        files={path.name: path.stat().st_size for path in sorted(place.iterdir())},
        names=len(wanted),
        findings=tuple(sorted(found, key=lambda finding: order.index(finding.severity))),
    )


def _files(place: Path) -> Iterator[Finding]:
    for path in sorted(place.iterdir()):
        if path.name not in FILES or path.is_symlink() or not path.is_file():
            fix = "Take it out before the folder is given away"
            yield from_error(
                InputError("is no part of an adapter", fix=fix, code="privacy.file", path=path)
            )


def _exemplars(card: AdapterCard, place: Path) -> Iterator[Finding]:
    named = [e for e in card.exemplars if e.case or e.subject]
    if named:
        problem = f"{len(named)} of {len(card.exemplars)} exemplars have names: "
        problem += few(sorted({e.case or e.subject for e in named}))
        path = place / CARD
        yield from_error(InputError(problem, fix=_REFIT, code="privacy.names", path=path))


def _texts(card: AdapterCard, place: Path) -> Iterator[Finding]:
    path = place / CARD
    for where, text in _strings(card.model_dump(mode="json")):
        if _DATE.search(text) and not _DIGEST.fullmatch(text):
            problem = f"{where} holds a date: {text!r}"
            yield from_error(InputError(problem, fix=_RENAME, code="privacy.date", path=path))
        if "/" in text or "\\" in text:
            problem = f"{where} holds a path or an address: {text!r}"
            fix = "See whether it says more than it should; `samplar weights add` gives a name"
            yield warning("privacy.path", problem, fix=fix, file=path)
    free = [*card.class_names, *(text for _, text in _strings(card.method_config))]
    problem = f"{len(free)} texts are as you wrote them: {few(free, limit=64)}"
    yield note("privacy.free_text", problem, fix="See that none names a person", file=path)


def _strings(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, f"{where}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _strings(inner, f"{where}.{number}")


def _readme(card: AdapterCard, place: Path) -> Iterator[Finding]:
    path = place / README
    expected = readme(card, (place / TENSORS).stat().st_size).encode()
    if path.is_file() and path.read_bytes() != expected:
        problem = f"its {path.stat().st_size:,} bytes are not those samplar writes of this adapter"
        fix = "Take it out, or see that it names nobody"
        yield from_error(InputError(problem, fix=fix, code="privacy.readme", path=path))


def _header(place: Path) -> Iterator[Finding]:
    path = place / TENSORS
    with safe_open(path, framework="pt") as file:
        texts, tensors = file.metadata() or {}, list(file.keys())
    if texts:
        problem = f"its header holds {len(texts)} texts: {few(sorted(texts))}"
        yield from_error(InputError(problem, fix=_REFIT, code="privacy.header", path=path))
    kept = [name for name in tensors if name.startswith("memory.")]
    if kept:
        problem = f"{len(kept)} tensors are what the method remembers of the exemplars: {few(kept)}"
        fix = "Treat the adapter as you treat the images, or use a method that trains"
        yield warning("privacy.memory", problem, fix=fix, file=path)


def _names(names: Collection[str], place: Path) -> Iterator[Finding]:
    """Look for names in the bytes of every file, letters of either case."""
    for path in sorted(p for p in place.iterdir() if p.is_file()):
        data = path.read_bytes().lower()
        hits = sorted(name for name in names if _holds(data, name))
        if hits:
            problem = f"holds {len(hits)} names of the data set: {few(hits)}"
            yield from_error(InputError(problem, fix=_RENAME, code="privacy.found", path=path))


def _holds(data: bytes, name: str) -> bool:
    """Say whether a name stands in the data, not as a part of a longer word or number."""
    word = re.escape(name.lower().encode())
    return re.search(rb"(?<![0-9a-z])" + word + rb"(?![0-9a-z])", data) is not None
