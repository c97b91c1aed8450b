"""Reading weights that lie in several files: every tensor once, where the index says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from samplar.errors import WeightsError
from samplar.io.shards import shard_of, shards


def read_sharded(index: Path, read: Callable[[Path], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the tensors of all files of an index as one table.

    Args:
        index: as in `samplar.io.shards`.
        read: reads one of its files.

    Raises:
        WeightsError: `weights.shards`, when a file is absent, or a tensor is in two files, in
            another than the index says, or in none.
    """
    table: dict[str, Tensor] = {}
    homes: dict[str, str] = {}
    for file in shards(index):
        for name, tensor in read(file).items():
            if name in homes:
                raise _wrong(f"{name} is in two files, {homes[name]} and {file.name}", index)
            table[name], homes[name] = tensor, file.name
    _compare(shard_of(index), homes, index)
    return table


def _compare(wanted: dict[str, str], homes: dict[str, str], index: Path) -> None:
    for name, file in homes.items():
        if wanted.get(name) != file:
            said = f"puts it in {wanted[name]}" if name in wanted else "does not list it"
            raise _wrong(f"{name} is in {file}, but the index {said}", index)
    lost = sorted(wanted.keys() - homes)
    if lost:
        raise _wrong(
            f"lists {len(wanted)} tensors, of which {len(lost)} are in none of its files "
            f"({lost[0]} is not in {wanted[lost[0]]})",
            index,
        )


def _wrong(problem: str, index: Path) -> WeightsError:
    return WeightsError(
        problem,
        fix="Get the index and all its files again from their publisher",
        code="weights.shards",
        path=index,
    )
