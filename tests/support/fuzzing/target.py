"""A kind of file that is read: one valid example, and how to tell that it was read right."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

Reading = Hashable
"""All that a reader returned, in a form that can be compared."""


@dataclass(frozen=True)
class Target:
    """One kind of file.

    Args:
        name: how it is called in recipes and in the table.
        file: the file name it is read under.
        data: a valid file.
        read: reads the file at a path; what it refuses is a `SamplarError`.
        sealed: whether a checksum covers everything that is read. If so, another reading than that
            of `data` is an error.
        says: what a file that is not sealed says, by another reader than ours; None if that one
            refuses it. Where our reader takes such a file, the two must agree.
        graft: a second valid file whose beginning can be put in place of the first one's.
        text: whether the format is made of lines, so that a shorter file may be a valid one.
        beside: writes what else has to be in the folder.
    """

    name: str
    file: str
    data: bytes
    read: Callable[[Path], Reading]
    sealed: bool
    graft: bytes
    says: Callable[[bytes], Reading | None] | None = None
    text: bool = False
    beside: Callable[[Path], None] | None = None
