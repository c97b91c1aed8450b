"""From a similarity map to a box, for SAMs that were taught boxes and no points.

Not in the paper. The similarity of an image, standardised as for the attention, is cut at the level
that cuts out the exemplars' own structure best; what hangs together with the most similar pixel is
the region, and its box the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import label
from torch import Tensor

LEVELS = 80
"""How many levels are tried, from the median of the exemplars' pixels to the 99.9th percentile."""


def fit_level(
    maps: Sequence[Float[Tensor, "_ _"]],
    truths: Sequence[Bool[Tensor, "_ _"]],
    known: Sequence[Bool[Tensor, "_ _"]],
) -> float:
    """Return the level at which the maps cut out the truths with the largest mean Dice.

    Args:
        maps: one similarity map per exemplar that shows the structure.
        truths: True where it is; at least one pixel each.
        known: False where a pixel does not count.
    """
    pixels = torch.cat([values[where] for values, where in zip(maps, known, strict=True)])
    share = np.linspace(0.5, 0.999, LEVELS)
    # Not torch.quantile: it refuses more than 16 million numbers.
    levels = np.quantile(pixels.cpu().numpy(), share)
    scores = np.zeros(LEVELS)
    for values, truth, where in zip(maps, truths, known, strict=True):
        inside = np.sort(values[truth].cpu().numpy())
        every = np.sort(values[where].cpu().numpy())
        hits = len(inside) - np.searchsorted(inside, levels)
        taken = len(every) - np.searchsorted(every, levels)
        scores += 2 * hits / (taken + len(inside))
    return float(levels[scores.argmax()])


def region_box(
    similarity: Float[Tensor, "h w"], level: float, seed: tuple[int, int]
) -> Float[Tensor, " 4"]:
    """Return left, top, right and bottom pixel of the region around a pixel `seed` (x, y).

    A level above the similarity of the seed is lowered to it.
    """
    values = similarity.cpu().numpy()
    x, y = seed
    parts, _ = label(values >= min(level, values[y, x]))
    rows, columns = np.nonzero(parts == parts[y, x])
    return torch.tensor([columns.min(), rows.min(), columns.max(), rows.max()]).float()
