"""Compare masks with labels at points, most of them where the masks are least certain.

Source: Kirillov et al. 2020 (PointRend), arXiv 1912.08193, section 3.1, as the loss of HQ-SAM and
WSI-SAM uses it: of three times as many points as wanted, the three quarters least certain are
kept, and the last quarter is drawn anew. Points are in [0, 1], (x, y), pixel areas as in SAM.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Generator, Tensor

from samplar.methods.contract import Pass

OVERSAMPLE = 3
UNCERTAIN = 0.75


def at_points(part: Pass, *, count: int, chance: Generator) -> Pass:
    """Return a pass of (n, k, count, 1) logits and (n, count, 1) labels at points of each row.

    Args:
        part: logits, background first, and labels on a grid of any size.
        count: points per row.
        chance: drawn from on the CPU, the same number of draws whatever the logits are.
    """
    logits = part.logits.float()
    points = draw_points(logits, count=count, chance=chance)
    labels = read_labels(part.labels, points)
    return Pass(read_map(logits, points)[..., None], labels[..., None], part.quality)


@torch.no_grad()
def draw_points(
    logits: Float[Tensor, "n k i j"], *, count: int, chance: Generator
) -> Float[Tensor, "n m 2"]:
    """Draw points, three quarters of them uncertain: where two classes are nearest each other."""
    rows, device = len(logits), logits.device
    many = torch.rand(rows, OVERSAMPLE * count, 2, generator=chance).to(device)
    sure = int(UNCERTAIN * count)
    others = torch.rand(rows, count - sure, 2, generator=chance).to(device)
    best = read_map(logits, many).topk(2, dim=1).values
    chosen = (best[:, 1] - best[:, 0]).topk(sure, dim=1).indices
    return torch.cat([many.gather(1, chosen[..., None].expand(-1, -1, 2)), others], dim=1)


def read_map(
    maps: Float[Tensor, "n k i j"], points: Float[Tensor, "n m 2"]
) -> Float[Tensor, "n k m"]:
    """Return a map's values at points, between its pixels bilinearly; zero beyond its border."""
    grid = (2 * points - 1)[:, :, None].to(maps.dtype)
    return F.grid_sample(maps, grid, mode="bilinear", align_corners=False)[..., 0]


def read_labels(
    labels: Integer[Tensor, "n h w"], points: Float[Tensor, "n m 2"]
) -> Integer[Tensor, "n m"]:
    """Return the label of the pixel that each point lies in."""
    size = points.new_tensor([labels.shape[2], labels.shape[1]])
    pixel = (points * size).long().minimum((size - 1).long())
    rows = torch.arange(len(labels), device=labels.device)[:, None]
    return labels[rows, pixel[..., 1], pixel[..., 0]]
