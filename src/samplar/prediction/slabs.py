"""What overlapping slabs say of each slice, averaged.

Source: Chen et al. 2023 (MA-SAM), arXiv 2309.08842: a window of slices slides by one, and the
probabilities of a slice are averaged over the windows that show it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor


def averaged_slabs(
    parts: Iterable[Float[Tensor, "n k h w"]], *, slices: int, count: int
) -> Iterator[Float[Tensor, "b k h w"]]:
    """Yield the logarithm of the mean probability of every slice, as soon as all is known of it.

    Args:
        parts: logits, background first, of all slices of one slab after another; the slab with
            number i has slice i in the middle. What lies beyond the ends of the volume is dropped.
        slices: how many a slab has.
        count: how many slices the volume has, and so how many slabs there are.
    """
    around, seen = slices // 2, 0
    open_sums: dict[int, tuple[Tensor, int]] = {}
    for part in parts:
        for slab in part.softmax(dim=1).unflatten(0, (-1, slices)):
            for number, chance in enumerate(slab, start=seen - around):
                if 0 <= number < count:
                    total, votes = open_sums.get(number, (torch.zeros_like(chance), 0))
                    open_sums[number] = (total + chance, votes + 1)
            seen += 1
        whole = [n for n in open_sums if n < seen - around or seen == count]
        if whole:
            yield torch.stack([_mean(*open_sums.pop(n)) for n in sorted(whole)])


def _mean(total: Float[Tensor, "k h w"], votes: int) -> Float[Tensor, "k h w"]:
    return (total / votes).clamp(min=torch.finfo(total.dtype).tiny).log()
