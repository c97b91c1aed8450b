"""What PerSAM keeps of a structure: the features of the cells that an exemplar's mask covers.

Source: Zhang et al. 2023, arXiv 2305.03048, section 3.1, and the public code (MIT).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from samplar.errors import UsageError
from samplar.methods.content import content_masks, content_sizes
from samplar.methods.contract import Batch

LEGACY_VALUE = 128.0
"""Red value of an object in the masks of PerSeg, the authors' data set."""
PIXEL_MEAN, PIXEL_STD = 123.675, 58.395
"""SAM's, of the red channel: the authors' code normalises the mask as if it were an image."""


def target_cells(
    masks: Bool[Tensor, "n s s"], grid: tuple[int, int], *, coverage: float
) -> Bool[Tensor, "n i j"]:
    """Return the cells of which the mask covers at least a share of `coverage`.

    A mask that covers no cell so far, such as a small structure, has the cells it covers most.
    """
    return _or_most(F.adaptive_avg_pool2d(masks.float()[:, None], grid)[:, 0], coverage)


def legacy_cells(
    masks: Bool[Tensor, "n s s"],
    content: Bool[Tensor, "n s s"],
    grid: tuple[int, int],
    *,
    value: float = LEGACY_VALUE,
) -> Bool[Tensor, "n i j"]:
    """Return the target's cells by the authors' rule: normalised, padded, read off, above 0.

    With `value` 128 a cell counts only if all the pixels that the bilinear rule reads are covered.
    Where their code finds none and goes on with NaN, the most covered cells are returned.
    """
    shown = ((masks.float() * value - PIXEL_MEAN) / PIXEL_STD).masked_fill(~content, 0)
    read = F.interpolate(shown[:, None], grid, mode="bilinear", align_corners=False)[:, 0]
    found = (read > 0) & masks.flatten(1).any(dim=1)[:, None, None]
    none = ~found.flatten(1).any(dim=1)[:, None, None]
    return found | (none & target_cells(masks, grid, coverage=2.0))


def _or_most(share: Float[Tensor, "n i j"], least: float) -> Bool[Tensor, "n i j"]:
    most = share.flatten(1).amax(dim=1)[:, None, None]
    return (share >= most.clamp(max=least)) & (share > 0)


def class_features(
    exemplars: Batch, *, coverage: float, legacy: bool
) -> list[list[Float[Tensor, "_ d"]]]:
    """Return, for every class, the features of its cells in each exemplar that shows it.

    Raises:
        UsageError: `methods.labels` when the exemplars have none.
    """
    if exemplars.labels is None:
        raise UsageError(
            "PerSAM needs labels to know what it looks for",
            fix="Give labelled exemplars",
            code="methods.labels",
        )
    embedding = exemplars.embedding.float()
    grid = (embedding.shape[-2], embedding.shape[-1])
    content = content_masks(content_sizes(exemplars.images), exemplars.images)
    found = []
    for index in range(1, exemplars.classes + 1):
        masks = exemplars.labels == index
        if legacy:
            cells = legacy_cells(masks, content, grid)
        else:
            cells = target_cells(masks, grid, coverage=coverage)
        found.append([e[:, c].T for e, c in zip(embedding, cells, strict=True) if bool(c.any())])
    return found


def mean_of_exemplars(shown: list[Float[Tensor, "_ d"]]) -> Float[Tensor, " d"]:
    """Return the mean of the exemplars' mean features: large structures count no more."""
    return torch.stack([cells.mean(dim=0) for cells in shown]).mean(dim=0)
