"""Weights under a name of the user's own: put into the cache once, used by that name ever after.

A known name means the publisher's file, byte for byte: adapters record its digest. Weights from
anywhere else, the same numbers in another file too, have a name and a digest of their own.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

from samplar.config.base import nearest
from samplar.errors import UsageError, WeightsError
from samplar.io.cache import cache_folder, locked
from samplar.io.origins import bring, is_remote, local_weights, whole
from samplar.io.shards import digest_of
from samplar.io.wheel import Progress
from samplar.sam.cached import is_good
from samplar.sam.cards import WEIGHTS, WeightsCard
from samplar.sam.convert import check_state, read_checkpoint
from samplar.sam.layouts import to_published
from samplar.sam.likeness import card_of
from samplar.sam.model import empty_sam
from samplar.sam.stored import AREA, Own, is_stored, note_path, read_note, store, tensors_path

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Lower case, so that no two names are one file on any disk."""


def own_names() -> list[str]:
    """Return the names of the user's own weights in the cache, in order."""
    notes = cache_folder(AREA).glob("*.json")
    return sorted(path.stem for path in notes if is_own(path.stem))


def is_own(name: str) -> bool:
    """Say whether a name is that of the user's own weights in the cache."""
    return name not in WEIGHTS and _NAME.fullmatch(name) is not None and is_stored(name)


def own_card(name: str) -> WeightsCard:
    """Return the card of the user's own weights; their digest is that of the file they came in.

    Raises:
        WeightsError: `weights.damaged`, `weights.architecture`.
    """
    path, note = tensors_path(name), read_note(name, again=_again(name))
    if note.own is None or note.own.like not in WEIGHTS:
        raise WeightsError(
            "the note does not say what these weights are",
            fix=_again(name),
            code="weights.damaged",
            path=note_path(name),
        )
    card = card_of(read_checkpoint(path), path, like=note.own.like)
    shown = note.own.source if is_remote(note.own.source) else Path(note.own.source).name
    return replace(
        card,
        name=name,
        title=f"{shown}, pixels as {note.own.like}",
        source=note.own.source,
        licence=note.own.licence,
        sha256=note.source_sha256,
        revision=note.own.revision,
    )


def add_own(
    name: str, source: str, *, like: str | None = None, on_progress: Progress | None = None
) -> None:
    """Put weights into the cache under a name of the user's own.

    Nothing happens if they are there already.

    Args:
        name: of the user's choosing.
        source: a file, a folder, an https address, or an address on the hub.
        like: the known weights whose pixel rule they borrow; None for those of the same sizes.
        on_progress: called with (bytes so far, bytes in all).

    Raises:
        UsageError: `weights.name`, `weights.like`, `weights.taken` or `weights.hub_address`.
        WeightsError: as `samplar.io.origins.bring` and `samplar.sam.weights.load_sam`.
        OutputError: the cache cannot be written.
    """
    _check(name, like)
    with locked(cache_folder(AREA), name):
        if not _is_there(name, whole(source), like):
            _convert(name, whole(source), like, on_progress)


def _check(name: str, like: str | None) -> None:
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            f"{name!r} cannot be the name of weights",
            fix="Use up to 64 lower-case letters, digits, dots, hyphens and underscores, such as "
            "my-sam, and give what they are made from after it",
            code="weights.name",
        )
    if like is not None and like not in WEIGHTS:
        raise UsageError(
            f"{like!r} is no known weights{nearest(like, WEIGHTS)}",
            fix=f"Known are {', '.join(WEIGHTS)}",
            code="weights.like",
        )


def _is_there(name: str, source: str, like: str | None) -> bool:
    """Say whether the cache holds just these weights under this name.

    Raises:
        UsageError: `weights.taken`, when it holds others, in good order.
    """
    if not is_own(name):
        return False
    try:
        card = own_card(name)
        own = read_note(name, again=_again(name)).own
    except WeightsError:
        return False
    if own is None or not is_good(card):
        return False
    same = source in (own.asked, own.source) and like in (None, own.like)
    if same and (is_remote(source) or digest_of(local_weights(source)) == card.sha256):
        return True
    raise UsageError(
        f"{name} is taken, by {own.source} with the pixels of {own.like}",
        fix=f"Use another name, or run `samplar weights remove {name}` first; adapters made with "
        "it will not work with others",
        code="weights.taken",
    )


def _convert(name: str, source: str, like: str | None, on_progress: Progress | None) -> None:
    raw = cache_folder(AREA) / f".{name}.raw"
    try:
        brought = bring(name, source, raw, on_progress=on_progress)
        digest = digest_of(brought.path)
        state, report = to_published(read_checkpoint(brought.path), path=brought.path)
        card = card_of(state, brought.path, like=like or "")
        check_state(state, empty_sam(card.shape).state_dict(), path=brought.path)
        own = Own(
            asked=source,
            source=brought.source,
            revision=brought.revision,
            licence=brought.licence,
            like=card.like,
            architecture=card.architecture,
            parameters=card.parameters,
        )
        store(name, state, digest=digest, rules=tuple(report.lines()), own=own)
    finally:
        shutil.rmtree(raw, ignore_errors=True)


def _again(name: str) -> str:
    return f"Run `samplar weights add {name} SOURCE` again"
