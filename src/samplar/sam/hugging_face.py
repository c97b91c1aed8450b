"""The names of SAM's tensors in Hugging Face's `SamModel`, both ways.

Shapes and values are the same in both layouts, so the change is a pure renaming of one name at a
time. Source: `transformers`, `models/sam/modeling_sam.py` (Apache-2.0).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

POSITIONS = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
SHARED_POSITIONS = "prompt_encoder.shared_embedding.positional_embedding"
IMAGE_POSITIONS = "shared_image_embedding.positional_embedding"
"""`SamModel` holds the position matrix twice, tied; its files hold one of the two or both."""

_BEGINNINGS = (
    ("image_encoder.patch_embed.proj.", "vision_encoder.patch_embed.projection."),
    ("image_encoder.blocks.", "vision_encoder.layers."),
    ("image_encoder.neck.0.", "vision_encoder.neck.conv1."),
    ("image_encoder.neck.1.", "vision_encoder.neck.layer_norm1."),
    ("image_encoder.neck.2.", "vision_encoder.neck.conv2."),
    ("image_encoder.neck.3.", "vision_encoder.neck.layer_norm2."),
    ("image_encoder.", "vision_encoder."),
    (POSITIONS, SHARED_POSITIONS),
    ("prompt_encoder.point_embeddings.", "prompt_encoder.point_embed."),
    ("prompt_encoder.mask_downscaling.0.", "prompt_encoder.mask_embed.conv1."),
    ("prompt_encoder.mask_downscaling.1.", "prompt_encoder.mask_embed.layer_norm1."),
    ("prompt_encoder.mask_downscaling.3.", "prompt_encoder.mask_embed.conv2."),
    ("prompt_encoder.mask_downscaling.4.", "prompt_encoder.mask_embed.layer_norm2."),
    ("prompt_encoder.mask_downscaling.6.", "prompt_encoder.mask_embed.conv3."),
    ("mask_decoder.output_upscaling.0.", "mask_decoder.upscale_conv1."),
    ("mask_decoder.output_upscaling.1.", "mask_decoder.upscale_layer_norm."),
    ("mask_decoder.output_upscaling.3.", "mask_decoder.upscale_conv2."),
)
"""How a name begins, as published and in `SamModel`; the first that fits counts."""

_NORMS = (
    (re.compile(r"\.norm(\d|_final_attn)\."), r".layer_norm\1."),
    (re.compile(r"\.layer_norm(\d|_final_attn)\."), r".norm\1."),
)
_HEAD = r"^(mask_decoder\.(?:iou_prediction_head|output_hypernetworks_mlps\.\d+))\."
_TO_HEAD = re.compile(_HEAD + r"layers\.([012])\.")
_FROM_HEAD = re.compile(_HEAD + r"(proj_in|layers\.0|proj_out)\.")
_HEAD_LAYERS = ("proj_in", "layers.0", "proj_out")


def to_hugging_face(name: str) -> str:
    """Return `SamModel`'s name of a tensor of the published layout."""
    head = _TO_HEAD.match(name)
    if head:
        return f"{head[1]}.{_HEAD_LAYERS[int(head[2])]}.{name[head.end() :]}"
    begun = _rebegun(name, _BEGINNINGS)
    if name.startswith(("image_encoder.blocks.", "mask_decoder.transformer.")):
        begun = _NORMS[0][0].sub(_NORMS[0][1], begun)
    return begun


def from_hugging_face(name: str) -> str:
    """Return the published name of a tensor of a `SamModel`; both position matrices have one."""
    if name == IMAGE_POSITIONS:
        return POSITIONS
    head = _FROM_HEAD.match(name)
    if head:
        return f"{head[1]}.layers.{_HEAD_LAYERS.index(head[2])}.{name[head.end() :]}"
    begun = _rebegun(name, [(there, here) for here, there in _BEGINNINGS])
    if begun.startswith(("image_encoder.blocks.", "mask_decoder.transformer.")):
        begun = _NORMS[1][0].sub(_NORMS[1][1], begun)
    return begun


def _rebegun(name: str, pairs: tuple[tuple[str, str], ...] | list[tuple[str, str]]) -> str:
    for old, new in pairs:
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def hugging_face_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a table in the published layout as `SamModel.state_dict()` has it."""
    named = {to_hugging_face(name): tensor for name, tensor in state.items()}
    return {**named, IMAGE_POSITIONS: named[SHARED_POSITIONS].clone()}
