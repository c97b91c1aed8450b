"""A slice with its neighbours: slices one after another along the channels of one image.

So that whatever turns, stores or batches images need not know how many slices each one holds.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def apart(x: Float[Tensor, "b e i j"], slices: int) -> Float[Tensor, "n c i j"]:
    """Return the slices of all images one after another, those of an image next to each other."""
    return x if slices == 1 else x.unflatten(1, (slices, -1)).flatten(0, 1)


def together(x: Float[Tensor, "n c i j"], slices: int) -> Float[Tensor, "b e i j"]:
    """Undo `apart`."""
    return x if slices == 1 else x.unflatten(0, (-1, slices)).flatten(1, 2)


def centre(x: Float[Tensor, "n c i j"], slices: int) -> Float[Tensor, "b c i j"]:
    """Return the middle slice of each image, of slices that `apart` returned."""
    return x[slices // 2 :: slices]
