"""Weights in the user's cache: checked against their note, and known ones brought there."""

from __future__ import annotations

import shutil
from pathlib import Path

from samplar.errors import WeightsError
from samplar.io.assets import retrieve
from samplar.io.bundle import Bundle
from samplar.io.cache import cache_folder, sha256_of
from samplar.io.wheel import Progress
from samplar.sam.cards import WeightsCard
from samplar.sam.convert import check_state, read_checkpoint
from samplar.sam.layouts import to_published
from samplar.sam.model import empty_sam
from samplar.sam.stored import AREA, Stored, is_stored, read_note, store, tensors_path


def source_digest(card: WeightsCard) -> str:
    """Return the digest of the file the cached weights were made from, or "" without any."""
    return _note(card).source_sha256 if is_stored(card.name) else ""


def rules_of(card: WeightsCard) -> tuple[str, ...]:
    """Return what was renamed, left out or widened when the cached weights were made."""
    return _note(card).rules if is_stored(card.name) else ()


def verified(card: WeightsCard) -> Path:
    """Return the cached file once its digests agree with its note and its card.

    Raises:
        WeightsError: `weights.absent`, `weights.damaged` or `weights.digest`.
    """
    path = tensors_path(card.name)
    if not is_stored(card.name):
        raise WeightsError(
            f"the weights {card.name} are not on this machine",
            fix=again(card),
            code="weights.absent",
        )
    note = _note(card)
    pairs = (card.sha256 or note.source_sha256, note.source_sha256), (note.sha256, sha256_of(path))
    for expected, found in pairs:
        if expected != found:
            raise WeightsError(
                f"has sha256 {found}, expected {expected}",
                fix=again(card),
                code="weights.digest",
                path=path,
            )
    return path


def is_good(card: WeightsCard) -> bool:
    """Say whether `verified` would return."""
    try:
        verified(card)
    except WeightsError:
        return False
    return True


def convert(
    card: WeightsCard, bundle: Bundle, *, source: str | Path | None, on_progress: Progress | None
) -> None:
    """Bring the published file, turn it into safetensors with a note, and throw it away."""
    raw = cache_folder(AREA) / f".{card.name}.raw"
    try:
        (published,) = retrieve(bundle, raw, source=source, on_progress=on_progress).values()
        digest = sha256_of(published)
        state, report = to_published(read_checkpoint(published), path=published)
        check_state(state, empty_sam(card.shape).state_dict(), path=published)
    finally:
        shutil.rmtree(raw, ignore_errors=True)
    store(card.name, state, digest=digest, rules=tuple(report.lines()))


def again(card: WeightsCard) -> str:
    """Say how to put weights into the cache once more."""
    if card.like:
        return f"Run `samplar weights add {card.name} {card.source} --like {card.like}`"
    if card.bundle is not None and card.bundle.origin is None:
        return card.bundle.manual
    return f"Run `samplar weights fetch {card.name}`"


def _note(card: WeightsCard) -> Stored:
    return read_note(card.name, again=again(card))
