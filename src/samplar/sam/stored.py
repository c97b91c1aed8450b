"""The cache of weights: NAME.safetensors beside NAME.json, a note of what it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import Field, ValidationError
from torch import Tensor

from samplar.config.base import Strict
from samplar.errors import WeightsError
from samplar.io.atomic import write_bytes, write_with
from samplar.io.cache import cache_folder, sha256_of
from samplar.sam.convert import read_checkpoint, save_safetensors

AREA = "weights"


class Own(Strict):
    """What the note of weights of the user's own says besides.

    `asked` is the source as it was given, a path made whole; `source` the same with the `revision`,
    the hash of a commit on the hub; `like` the known weights whose pixel rule they borrow.
    """

    asked: str
    source: str
    revision: str
    licence: str
    like: str
    architecture: str
    parameters: int


class Stored(Strict):
    """The note: digests of the file it was made from and of itself, and the rules that were used.

    `rules` says in words which tensors were renamed, left out or widened, see
    `samplar.sam.layouts`; `own` is there for weights under a name of the user's own.
    """

    name: str
    source_sha256: str
    sha256: str
    rules: tuple[str, ...] = Field(default=())
    own: Own | None = None


def tensors_path(name: str) -> Path:
    """Return where weights lie, or would."""
    return cache_folder(AREA) / f"{name}.safetensors"


def note_path(name: str) -> Path:
    """Return where their note lies, or would."""
    return cache_folder(AREA) / f"{name}.json"


def is_stored(name: str) -> bool:
    """Say whether weights and note are there; digests are checked when they are loaded."""
    return tensors_path(name).is_file() and note_path(name).is_file()


def read_note(name: str, *, again: str) -> Stored:
    """Read a note; `again` says how to put the weights there once more.

    Raises:
        WeightsError: `weights.damaged`.
    """
    path = note_path(name)
    try:
        return Stored.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise WeightsError(
            "the note beside the weights is damaged", fix=again, code="weights.damaged", path=path
        ) from error


def store(
    name: str,
    state: Mapping[str, Tensor],
    *,
    digest: str,
    rules: tuple[str, ...],
    own: Own | None = None,
) -> None:
    """Put tensors and their note into the cache; `digest` is that of the file they came in."""
    path, header = tensors_path(name), {"name": name, "source_sha256": digest}

    def verify(part: Path) -> None:
        kept = read_checkpoint(part)
        if not all(torch.equal(kept[name], tensor) for name, tensor in state.items()):
            raise ValueError("the file read back is not what was written")

    write_with(path, lambda part: save_safetensors(state, part, note=header), verify)
    note = Stored(name=name, source_sha256=digest, sha256=sha256_of(path), rules=rules, own=own)
    write_bytes(
        note_path(name), (note.model_dump_json(indent=2, exclude_none=True) + "\n").encode()
    )


def remove(name: str) -> bool:
    """Take weights out of the cache; say whether there were any."""
    there = [path for path in (note_path(name), tensors_path(name)) if path.is_file()]
    for path in there:
        path.unlink()
    return bool(there)
