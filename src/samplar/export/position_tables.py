"""SAM at another input size, for programs that cannot resize its position tables themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from samplar.sam.model import SamShape
from samplar.sam.vit import ViTShape

POSITIONS = "image_encoder.pos_embed"
_RELATIVE = re.compile(r"image_encoder\.blocks\.(\d+)\.attn\.rel_pos_[hw]")


def at_size(
    state: Mapping[str, Tensor], shape: SamShape, size: int
) -> tuple[dict[str, Tensor], SamShape]:
    """Return the tensors and the shape of a SAM that computes the same at one input size.

    A ViT's absolute positions are resized bilinearly and the relative ones of its global blocks
    linearly, as `samplar.sam.vit` does on each call. TinyViT has no such tables.

    Args:
        state: tensors in the published layout.
        shape: of the SAM they belong to.
        size: side of the square input in pixels, a multiple of the patch.
    """
    made = replace(shape, image_size=size)
    encoder = shape.encoder
    if not isinstance(encoder, ViTShape):
        return dict(state), made
    grid = size // encoder.patch
    tables = {name: _resized(name, tensor, encoder, grid) for name, tensor in state.items()}
    return tables, replace(made, encoder=replace(encoder, grid=grid))


def _resized(name: str, tensor: Tensor, encoder: ViTShape, grid: int) -> Tensor:
    if grid == encoder.grid:
        return tensor
    if name == POSITIONS:
        table = tensor.permute(0, 3, 1, 2)
        table = F.interpolate(table, (grid, grid), mode="bilinear", align_corners=False)
        return table.permute(0, 2, 3, 1).contiguous()
    relative = _RELATIVE.fullmatch(name)
    if relative is None or int(relative[1]) not in encoder.global_blocks:
        return tensor
    table = F.interpolate(tensor.T[None], 2 * grid - 1, mode="linear", align_corners=False)
    return table[0].T.contiguous()
