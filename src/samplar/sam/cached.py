"""Known weights in the user's cache: safetensors beside a note of what they were made from."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import Field, ValidationError
from torch import Tensor

from samplar.config.base import Strict
from samplar.errors import WeightsError
from samplar.io.assets import retrieve
from samplar.io.atomic import write_bytes, write_with
from samplar.io.bundle import Bundle
from samplar.io.cache import cache_folder, sha256_of
from samplar.io.wheel import Progress
from samplar.sam.cards import WeightsCard
from samplar.sam.convert import check_state, read_checkpoint, save_safetensors
from samplar.sam.layouts import to_published
from samplar.sam.model import empty_sam

AREA = "weights"


class Stored(Strict):
    """The note: digests of the file it was made from and of itself, and the rules that were used.

    `rules` says in words which tensors were renamed or left out, see `samplar.sam.layouts`.
    """

    name: str
    source_sha256: str
    sha256: str
    rules: tuple[str, ...] = Field(default=())


def cached_path(card: WeightsCard) -> Path:
    """Return where the weights of a card lie, or would."""
    return cache_folder(AREA) / f"{card.name}.safetensors"


def is_cached(card: WeightsCard) -> bool:
    """Say whether weights and note are there; digests are checked when they are loaded."""
    return cached_path(card).is_file() and _note_path(card).is_file()


def source_digest(card: WeightsCard) -> str:
    """Return the digest of the file the cached weights were made from, or "" without any."""
    return _note(card).source_sha256 if is_cached(card) else ""


def rules_of(card: WeightsCard) -> tuple[str, ...]:
    """Return what was renamed or left out when the cached weights were made."""
    return _note(card).rules if is_cached(card) else ()


def verified(card: WeightsCard) -> Path:
    """Return the cached file once its digests agree with its note and its card.

    Raises:
        WeightsError: `weights.absent`, `weights.damaged` or `weights.digest`.
    """
    path = cached_path(card)
    if not is_cached(card):
        raise WeightsError(
            f"the weights {card.name} are not on this machine",
            fix=_again(card),
            code="weights.absent",
        )
    note = _note(card)
    pairs = (card.sha256 or note.source_sha256, note.source_sha256), (note.sha256, sha256_of(path))
    for expected, found in pairs:
        if expected != found:
            raise WeightsError(
                f"has sha256 {found}, expected {expected}",
                fix=_again(card),
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
    _store(card, state, digest=digest, rules=tuple(report.lines()))


def _store(
    card: WeightsCard, state: Mapping[str, Tensor], *, digest: str, rules: tuple[str, ...]
) -> None:
    path, header = cached_path(card), {"name": card.name, "source_sha256": digest}

    def verify(part: Path) -> None:
        kept = read_checkpoint(part)
        if not all(torch.equal(kept[name], tensor) for name, tensor in state.items()):
            raise ValueError("the file read back is not what was written")

    write_with(path, lambda part: save_safetensors(state, part, note=header), verify)
    stored = Stored(name=card.name, source_sha256=digest, sha256=sha256_of(path), rules=rules)
    write_bytes(_note_path(card), (stored.model_dump_json(indent=2) + "\n").encode())


def _note_path(card: WeightsCard) -> Path:
    return cache_folder(AREA) / f"{card.name}.json"


def _note(card: WeightsCard) -> Stored:
    path = _note_path(card)
    try:
        return Stored.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise WeightsError(
            "the note beside the weights is damaged",
            fix=_again(card),
            code="weights.damaged",
            path=path,
        ) from error


def _again(card: WeightsCard) -> str:
    if card.bundle is not None and card.bundle.origin is None:
        return card.bundle.manual
    return f"Run `samplar weights fetch {card.name}`"
