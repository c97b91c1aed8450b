"""The layouts in which SAM's weights are passed around, brought to the published one.

Layouts are told by the names in a file, never by the file's own name. Every tensor is used under
its name, renamed by a rule, or left out by a rule, and other float types are widened to float32;
the report says which, and whatever no rule speaks of stays and is refused by `check_state`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from samplar.errors import WeightsError
from samplar.sam.hugging_face import from_hugging_face
from samplar.sam.widened import to_float32


@dataclass(frozen=True)
class Rule:
    """One kind of difference from the published layout.

    Args:
        name: what the report calls it.
        applies: whether a file with these names has it.
        change: the published name of a name, or None for a tensor that SAM does not use.
    """

    name: str
    applies: Callable[[Iterable[str]], bool]
    change: Callable[[str], str | None]


@dataclass(frozen=True)
class KeyReport:
    """What became of the names in a file.

    Args:
        found: how many there were.
        renamed: the names that each rule renamed.
        left_out: the names that each rule left out.
        widened: the names that were of each other float type.
    """

    found: int
    renamed: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, tuple[str, ...]]
    widened: Mapping[str, tuple[str, ...]]

    def lines(self) -> list[str]:
        """Say it in words, one line for each rule that had anything to do."""
        widened = {f"{kind} to float32, exactly": names for kind, names in self.widened.items()}
        done = (("renamed", self.renamed), ("left out", self.left_out), ("widened", widened))
        return [
            f"{len(names)} of {self.found} tensors {what}: {rule}"
            for what, table in done
            for rule, names in table.items()
        ]


def _without_head(name: str) -> str | None:
    return None if name.startswith(("image_encoder.head.", "image_encoder.norm_head.")) else name


def _without_adapters(name: str) -> str | None:
    return None if ".Adapter." in name else name


RULES = (
    Rule(
        name="prefix of data-parallel training",
        applies=lambda names: all(name.startswith("module.") for name in names),
        change=lambda name: name.removeprefix("module."),
    ),
    Rule(
        name="names of Hugging Face's SamModel",
        applies=lambda names: any(name.startswith("vision_encoder.") for name in names),
        change=from_hugging_face,
    ),
    Rule(
        name="MobileSAM's classification head, which SAM never runs",
        applies=lambda names: "image_encoder.patch_embed.seq.0.c.weight" in names,
        change=_without_head,
    ),
    Rule(
        name="SAM-Med2D's encoder adapters, which are no part of SAM",
        applies=lambda names: "image_encoder.blocks.0.Adapter.norm.weight" in names,
        change=_without_adapters,
    ),
)
"""In the order in which they are tried."""


def to_published(
    state: Mapping[str, Tensor], *, path: Path | None = None
) -> tuple[dict[str, Tensor], KeyReport]:
    """Return a table of float32 under the published names, and what was done to it.

    Raises:
        WeightsError: `weights.keys`, when two tensors that differ claim one name; `weights.dtype`,
            when a value does not fit float32.
    """
    renamed: dict[str, tuple[str, ...]] = {}
    left_out: dict[str, tuple[str, ...]] = {}
    table, widened = to_float32(state, path=path)
    for rule in RULES:
        if not table or not rule.applies(table.keys()):
            continue
        changes = {name: rule.change(name) for name in table}
        moved = tuple(old for old, new in changes.items() if new not in (None, old))
        gone = tuple(old for old, new in changes.items() if new is None)
        renamed |= {rule.name: moved} if moved else {}
        left_out |= {rule.name: gone} if gone else {}
        table = _changed(table, changes, path)
    return table, KeyReport(len(state), renamed, left_out, widened)


def _changed(
    table: Mapping[str, Tensor], changes: Mapping[str, str | None], path: Path | None
) -> dict[str, Tensor]:
    result: dict[str, Tensor] = {}
    for old, new in changes.items():
        if new is None:
            continue
        if new in result and not torch.equal(result[new], table[old]):
            raise WeightsError(
                f"holds two different tensors for {new}, one of them as {old}",
                fix="Get the file again from its publisher",
                code="weights.keys",
                path=path,
            )
        result[new] = table[old]
    return result
