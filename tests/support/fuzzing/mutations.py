"""Damage by recipe: `cut:100`, `flip:3` (a bit), `bytes:7` (a seed), `graft:64`.

A recipe and the example of its target give the same bytes again, so that a failure is kept as two
words.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_INTERESTING = (0x00, 0x01, 0x7F, 0x80, 0xFF, 0x22, 0x0A, 0x3A)


def damaged(data: bytes, graft: bytes, recipe: str) -> bytes:
    """Return the data as the recipe leaves it."""
    kind, _, word = recipe.partition(":")
    number = int(word)
    if kind == "cut":
        return data[:number]
    if kind == "flip":
        changed = bytearray(data)
        changed[number // 8] ^= 1 << number % 8
        return bytes(changed)
    if kind == "graft":
        return graft[:number] + data[number:]
    if kind == "bytes":
        return _scrambled(data, np.random.default_rng(number))
    raise ValueError(recipe)


def recipes(
    data: bytes, graft: bytes, *, cuts: int, flips: int, scrambles: int, grafts: int
) -> Iterator[str]:
    """Name so many damages of each kind; cuts and flips spread evenly, or all there can be."""
    yield from (f"cut:{n}" for n in _spread(len(data), cuts))
    yield from (f"flip:{n}" for n in _spread(8 * len(data), flips))
    yield from (f"bytes:{seed}" for seed in range(scrambles))
    yield from (f"graft:{n}" for n in _lengths(min(len(data), len(graft)), grafts))


def _spread(size: int, count: int) -> list[int]:
    """Return `count` different numbers below `size`, evenly spaced."""
    return [int(n) for n in np.unique(np.linspace(0, size - 1, min(count, size)).astype(int))]


def _lengths(size: int, count: int) -> list[int]:
    """Return lengths of a beginning, short ones first: headers are short."""
    known = [4, 8, 16, 29, 33, 40, 64, 76, 108, 128, 254, 280, 348, 352, size // 2, size - 30]
    drawn = np.random.default_rng(size).integers(1, size, max(count - len(known), 0)).tolist()
    return [n for n in (*known, *drawn) if 0 < n < size][:count]


def _scrambled(data: bytes, chance: np.random.Generator) -> bytes:
    """Replace, insert, delete, double, or blank a few stretches of bytes."""
    changed = bytearray(data)
    for _ in range(int(chance.integers(1, 5))):
        at = int(chance.integers(0, len(changed)))
        length = int(min(chance.geometric(0.3), 16))
        match int(chance.integers(0, 6)):
            case 0:
                changed[at] = int(chance.integers(0, 256))
            case 1:
                changed[at] = _INTERESTING[int(chance.integers(0, len(_INTERESTING)))]
            case 2:
                changed[at:at] = chance.bytes(length)
            case 3 if len(changed) > length:
                del changed[at : at + length]
            case 4:
                changed[at:at] = changed[at : at + length]
            case _:
                stretch = len(changed[at : at + length])
                changed[at : at + length] = bytes(stretch)
    return bytes(changed)
