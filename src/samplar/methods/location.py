"""PerSAM's location prior: where an image looks like the target.

Source: Zhang et al. 2023, arXiv 2305.03048, section 3.1, and the public code (MIT).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Prior:
    """Where one image looks like each of `k` targets.

    Args:
        cells: (k, i, j) cosine similarity of every cell.
        pixels: (k, h, w) the same on the pixels the image has in the frame.
        size: side of the frame.
    """

    cells: Float[Tensor, "k i j"]
    pixels: Float[Tensor, "k h w"]
    size: int

    def most(self) -> Float[Tensor, "k 2"]:
        """Return the pixel (x, y) that is most like each target, the first of equals."""
        return self._places(self.pixels.flatten(1).argmax(dim=1))

    def least(self) -> Float[Tensor, "k 2"]:
        """Return the pixel (x, y) that is least like each target."""
        return self._places(self.pixels.flatten(1).argmin(dim=1))

    def _places(self, flat: Tensor) -> Float[Tensor, "k 2"]:
        width = self.pixels.shape[-1]
        return torch.stack([flat % width, flat // width], dim=1).float()

    def bias(self, *, legacy: bool) -> Float[Tensor, "k m"]:
        """Return how much to nudge the reading of each cell, in (0, 1); none in the padding.

        The similarity is standardised over the image and put through a sigmoid.

        Args:
            legacy: squeeze the image alone into the grid, as the authors' code does, which shifts
                the nudge against the cells when the image is not square.
        """
        k, rows, columns = self.cells.shape
        if legacy:
            even = standardised(self.pixels)
            squeezed = F.interpolate(
                even[:, None], (rows, columns), mode="bilinear", align_corners=False
            )
            return squeezed.sigmoid().view(k, rows * columns)
        height, width = self.pixels.shape[-2:]
        down, right = -(-height * rows // self.size), -(-width * columns // self.size)
        out = torch.zeros_like(self.cells)
        out[:, :down, :right] = standardised(self.cells[:, :down, :right]).sigmoid()
        return out.view(k, rows * columns)


def standardised(maps: Float[Tensor, "k h w"]) -> Float[Tensor, "k h w"]:
    """Return the maps with mean 0 and unbiased standard deviation 1 each; even maps become 0."""
    if len(maps) == 0:  # no exemplar shows any class: torch warns about means of nothing
        return maps
    count = maps[0].numel()
    deviation, mean = torch.std_mean(maps, dim=(1, 2), correction=min(1, count - 1), keepdim=True)
    return (maps - mean) / deviation.clamp(min=1e-12)


def find_prior(
    embedding: Float[Tensor, "d i j"],
    targets: Float[Tensor, "k d"],
    *,
    size: int,
    content: tuple[int, int],
) -> Prior:
    """Compare every cell of an image with targets of length 1.

    The map goes to pixels as SAM's masks do: four times finer, then to the frame, then cropped.
    """
    with torch.autocast(embedding.device.type, enabled=False):  # bf16 would make many cells equal
        unit = F.normalize(embedding.float(), dim=0)
        cells = torch.einsum("kd,dij->kij", targets, unit)
        finer = F.interpolate(cells[:, None], scale_factor=4, mode="bilinear", align_corners=False)
        whole = F.interpolate(finer, (size, size), mode="bilinear", align_corners=False)[:, 0]
    return Prior(cells, whole[:, : content[0], : content[1]], size)
