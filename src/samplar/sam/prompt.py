"""SAM's prompt encoder: points, boxes and masks to embeddings (parameter names as published)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from samplar.sam.layers import LayerNorm2d


@dataclass(frozen=True)
class Prompts:
    """What the user points at, in pixels of the model's input frame, (x, y) order.

    Args:
        points: (p, n, 2) coordinates, or none.
        labels: (p, n) 1 inside, 0 outside, -1 not a point.
        boxes: (p, 4) left, top, right, bottom, or none.
        masks: (p, 1, 4 grid, 4 grid) logits of an earlier mask, or none.
    """

    points: Float[Tensor, "p n 2"] | None = None
    labels: Int[Tensor, "p n"] | None = None
    boxes: Float[Tensor, "p 4"] | None = None
    masks: Float[Tensor, "p 1 h w"] | None = None

    @property
    def count(self) -> int:
        """How many prompts; an empty prompt counts as one."""
        given = [t for t in (self.points, self.boxes, self.masks) if t is not None]
        return given[0].shape[0] if given else 1


class PositionEmbedding(nn.Module):
    """Random Fourier features of coordinates in [0, 1]."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, features))

    def forward(self, xy: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b d"]:
        """Embed points: sines, then cosines."""
        matrix = self.positional_encoding_gaussian_matrix
        angle = 2 * math.pi * ((2 * xy - 1).to(matrix.dtype) @ matrix)
        return torch.cat([angle.sin(), angle.cos()], dim=-1)

    def grid(self, height: int, width: int) -> Float[Tensor, "1 d h w"]:
        """Embed the cell centres of a grid."""
        device = self.positional_encoding_gaussian_matrix.device
        y = (torch.arange(height, device=device) + 0.5) / height
        x = (torch.arange(width, device=device) + 0.5) / width
        yy, xx = torch.meshgrid(y, x, indexing="ij")
        return self(torch.stack([xx, yy], dim=-1)).permute(2, 0, 1)[None]


class PromptEncoder(nn.Module):
    """Turn prompts into sparse tokens and a dense map."""

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.width = width
        self.pe_layer = PositionEmbedding(width // 2)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, width) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, width)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, 4, 2, stride=2),
            LayerNorm2d(4),
            nn.GELU(),
            nn.Conv2d(4, 16, 2, stride=2),
            LayerNorm2d(16),
            nn.GELU(),
            nn.Conv2d(16, width, 1),
        )
        self.no_mask_embed = nn.Embedding(1, width)

    def forward(
        self, prompts: Prompts, *, image_size: tuple[int, int], grid: tuple[int, int]
    ) -> tuple[Float[Tensor, "p n d"], Float[Tensor, "p d h w"]]:
        """Encode prompts given in pixels of an input of `image_size` (height, width).

        Returns:
            The sparse tokens, none of them for an empty prompt, and the dense map on `grid`.
        """
        size = torch.tensor([image_size[1], image_size[0]], device=self.no_mask_embed.weight.device)
        tokens = [self.no_mask_embed.weight.new_zeros(prompts.count, 0, self.width)]
        if prompts.points is not None and prompts.labels is not None:
            tokens.append(self._points(prompts, size))
        if prompts.boxes is not None:
            corners = (prompts.boxes.reshape(-1, 2, 2) + 0.5) / size
            ends = self._labels(2, 3)
            tokens.append(self.pe_layer(corners) + ends)
        return torch.cat(tokens, dim=1), self._dense(prompts, grid)

    def _points(self, prompts: Prompts, size: Tensor) -> Float[Tensor, "p n d"]:
        points, labels = prompts.points, prompts.labels
        if points is None or labels is None:
            raise ValueError("points and labels come together")
        if prompts.boxes is None:  # the original pads with one "not a point" when no box is given
            points = torch.cat([points + 0.5, points.new_zeros(len(points), 1, 2)], dim=1)
            labels = torch.cat([labels, -labels.new_ones(len(labels), 1)], dim=1)
        else:
            points = points + 0.5
        place = self.pe_layer(points / size)
        table = torch.cat([self.not_a_point_embed.weight, self._labels(0, 1)])
        real = (labels >= 0)[..., None]
        return torch.where(real, place, torch.zeros_like(place)) + table[labels.long() + 1]

    def _labels(self, *numbers: int) -> Float[Tensor, "n d"]:
        return torch.cat([self.point_embeddings.get_parameter(f"{i}.weight") for i in numbers])

    def _dense(self, prompts: Prompts, grid: tuple[int, int]) -> Float[Tensor, "p d h w"]:
        if prompts.masks is not None:
            return self.mask_downscaling(prompts.masks)
        flat = self.no_mask_embed.weight.reshape(1, -1, 1, 1)
        return flat.expand(prompts.count, -1, *grid)
