"""Which of the files in a folder, or in a repository of the hub, hold the weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from samplar.errors import WeightsError
from samplar.io.shards import INDEX
from samplar.io.wording import few

USUAL = ("model.safetensors", INDEX, "pytorch_model.bin")
"""The names Hugging Face gives them; the first that is there counts."""

ENDINGS = (INDEX.removeprefix("model"), ".safetensors", ".pth", ".pt", ".bin")
"""Of files under other names; those of the first ending that is there count."""


def candidates(names: Iterable[str]) -> list[str]:
    """Return the names that may be those of the weights: none, one, or several to choose from."""
    there = sorted(names)
    for usual in USUAL:
        if usual in there:
            return [usual]
    for ending in ENDINGS:
        found = [name for name in there if name.endswith(ending)]
        if found:
            return found
    return []


def weights_in(folder: Path) -> Path | None:
    """Return the file of weights, or the index of several, in a folder; None without any.

    Raises:
        WeightsError: `weights.ambiguous`.
    """
    found = candidates(entry.name for entry in folder.iterdir() if entry.is_file())
    if len(found) > 1:
        raise WeightsError(
            f"holds {len(found)} files of weights: {few(found)}",
            fix="Give the path of one of them",
            code="weights.ambiguous",
            path=folder,
        )
    return folder / found[0] if found else None
