"""Weights in several safetensors files, with an index beside them that says which tensor is where.

Hugging Face's layout: `model.safetensors.index.json` with `{"weight_map": {TENSOR: FILE}}`. A path
to the index stands for all of them.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from samplar.errors import InputError, WeightsError
from samplar.io.cache import sha256_of
from samplar.io.documents import read_json

INDEX = "model.safetensors.index.json"
_ENDING = ".safetensors.index.json"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.safetensors")
"""A file beside the index: no folders, nothing hidden, nothing above."""


def is_index(path: Path) -> bool:
    """Say whether a path is that of an index."""
    return path.name.endswith(_ENDING)


def shard_of(index: Path) -> dict[str, str]:
    """Return the file name of every tensor an index lists; the files are not looked at.

    Raises:
        WeightsError: `weights.shards`, when it is no index or names a file anywhere but beside it.
    """
    try:
        document = read_json(index)
    except InputError as error:
        raise _wrong(error.problem, index) from error
    table = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(table, dict) or not table:
        raise _wrong('is not an index of tensors: expected {"weight_map": {TENSOR: FILE}}', index)
    for name, file in table.items():
        if not isinstance(file, str) or not _PLAIN.fullmatch(file):
            raise _wrong(
                f"puts {name} in {file!r}, expected the name of a .safetensors file beside it",
                index,
            )
    return table


def shards(index: Path) -> list[Path]:
    """Return the files of an index, each once, by name.

    Raises:
        WeightsError: `weights.shards`, also when one of them is not there.
    """
    table = shard_of(index)
    files = sorted(set(table.values()))
    absent = [file for file in files if not (index.parent / file).is_file()]
    if absent:
        count = sum(file in absent for file in table.values())
        raise _wrong(
            f"{len(absent)} of {len(files)} files are not beside it ({', '.join(absent[:3])}), "
            f"with {count} of {len(table)} tensors",
            index,
        )
    return [index.parent / file for file in files]


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file of weights; of an index that over `DIGEST  NAME` of every file.

    The latter is what `sha256sum` prints of the index and its files, by name, hashed once more.

    Raises:
        WeightsError: as `shards`.
    """
    if not is_index(path):
        return sha256_of(path)
    files = sorted([path, *shards(path)])
    lines = "".join(f"{sha256_of(file)}  {file.name}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def _wrong(problem: str, index: Path) -> WeightsError:
    return WeightsError(
        problem,
        fix="Get the index and all its files again from their publisher",
        code="weights.shards",
        path=index,
    )
