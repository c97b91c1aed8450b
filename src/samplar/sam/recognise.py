"""Which SAM a table of tensors belongs to, told from names and shapes alone."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from torch import Tensor

from samplar.sam.model import SamShape
from samplar.sam.tinyvit import TinyViTShape
from samplar.sam.vit import VIT_B, VIT_H, VIT_L, ViTShape

_KNOWN_BLOCKS = {shape.depth: shape.global_blocks for shape in (VIT_B, VIT_L, VIT_H)}

State = Mapping[str, Tensor]


def shape_of(state: State) -> SamShape | None:
    """Return the sizes of the SAM that these tensors, under their published names, make up.

    None when they are of no SAM at all. That every tensor is there and fits is for `check_state`.
    """
    try:
        if "image_encoder.patch_embed.proj.weight" in state:
            encoder: ViTShape | TinyViTShape = _vit(state)
        else:
            encoder = _tiny_vit(state)
        return SamShape(
            encoder=encoder,
            decoder_hidden=len(state["mask_decoder.transformer.layers.0.mlp.lin1.weight"]),
            mask_tokens=len(state["mask_decoder.mask_tokens.weight"]),
            image_size=_image_size(encoder),
        )
    except (LookupError, TypeError, ValueError, ZeroDivisionError):  # no such names, other ranks
        return None


def _vit(state: State) -> ViTShape:
    width, _, _, patch = state["image_encoder.patch_embed.proj.weight"].shape
    grid = state["image_encoder.pos_embed"].shape[1]
    tables = {
        int(found[1]): tensor.shape
        for name, tensor in state.items()
        if (found := re.fullmatch(r"image_encoder\.blocks\.(\d+)\.attn\.rel_pos_h", name))
    }
    depth = len(tables)
    whole = tuple(n for n in sorted(tables) if tables[n][0] == 2 * grid - 1)
    windows = [tables[n][0] for n in tables if n not in whole]
    if not windows:  # windows as large as the grid: only the depth tells the blocks apart
        whole = _KNOWN_BLOCKS.get(depth, whole)
    return ViTShape(
        width=width,
        depth=depth,
        heads=width // tables[0][1],
        global_blocks=whole,
        window=(windows[0] + 1) // 2 if windows else min(grid, ViTShape.window),
        patch=patch,
        grid=grid,
        output=_output(state),
    )


def _tiny_vit(state: State) -> TinyViTShape:
    start = "image_encoder.layers"
    kernels = [state[f"{start}.{n}.downsample.conv1.c.weight"] for n in range(3)]
    biases = [state[f"{start}.{n}.blocks.0.attn.attention_biases"].shape for n in (1, 2, 3)]
    blocks = [set(re.findall(rf"{start}\.{n}\.blocks\.(\d+)\.", " ".join(state))) for n in range(4)]
    return TinyViTShape(
        widths=(kernels[0].shape[1], *(len(kernel) for kernel in kernels)),
        depths=tuple(len(found) for found in blocks),
        heads=(kernels[0].shape[1] // 32 or 1, *(shape[0] for shape in biases)),
        windows=(math.isqrt(biases[0][1]), *(math.isqrt(shape[1]) for shape in biases)),
        patch_kernel=state["image_encoder.patch_embed.seq.0.c.weight"].shape[-1],
        output=_output(state),
    )


def _output(state: State) -> int:
    return len(state["image_encoder.neck.0.weight"])


def _image_size(encoder: ViTShape | TinyViTShape) -> int:
    """Return the side of the input that gives the grid the model was made for, 64 in TinyViT."""
    return encoder.stride * (encoder.grid if isinstance(encoder, ViTShape) else 64)
