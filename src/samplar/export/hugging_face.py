"""A SAM as the folder that `transformers.SamModel.from_pretrained` reads.

Source of names and settings: `transformers`, `models/sam` (Apache-2.0), version 5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from torch import Tensor

from samplar.errors import UsageError
from samplar.sam.convert import to_safetensors
from samplar.sam.hugging_face import IMAGE_POSITIONS, hugging_face_state
from samplar.sam.model import SamShape
from samplar.sam.vit import ViTShape

CONFIG = "config.json"
TENSORS = "model.safetensors"
NOTE = {"format": "pt"}
"""What `transformers` and `peft` want to find in the header of a safetensors file."""

DECODER_EPS = 1e-5
"""Of the norms in SAM's two-way transformer; `SamModel`'s own default is 1e-6."""


def vit_shape(shape: SamShape) -> ViTShape:
    """Return the shape of the image encoder, which must be SAM's own.

    Raises:
        UsageError: `export.encoder`, for a TinyViT.
    """
    if isinstance(shape.encoder, ViTShape):
        return shape.encoder
    raise UsageError(
        "this adapter sits on a TinyViT encoder, and PEFT's SamModel and SAMed know SAM's ViT only",
        fix="Use --format merged, or adapt base weights with a ViT",
        code="export.encoder",
    )


def config_of(shape: SamShape) -> bytes:
    """Return config.json for a SAM of this shape, whose position tables fit its `image_size`."""
    encoder = vit_shape(shape)
    size = {"image_size": shape.image_size, "patch_size": encoder.patch}
    config = {
        "architectures": ["SamModel"],
        "model_type": "sam",
        "vision_config": {
            **size,
            "hidden_size": encoder.width,
            "num_hidden_layers": encoder.depth,
            "num_attention_heads": encoder.heads,
            "mlp_dim": 4 * encoder.width,
            "global_attn_indexes": list(encoder.global_blocks),
            "window_size": encoder.window,
            "output_channels": encoder.output,
            "num_pos_feats": encoder.output // 2,
        },
        "prompt_encoder_config": {**size, "hidden_size": encoder.output},
        "mask_decoder_config": {
            "hidden_size": encoder.output,
            "mlp_dim": shape.decoder_hidden,
            "num_multimask_outputs": shape.mask_tokens - 1,
            "iou_head_hidden_dim": encoder.output,
            "layer_norm_eps": DECODER_EPS,
        },
    }
    return (json.dumps(config, indent=2) + "\n").encode()


def tensors_of(state: Mapping[str, Tensor]) -> bytes:
    """Return model.safetensors for tensors in the published layout."""
    tensors = hugging_face_state(state)
    tensors[IMAGE_POSITIONS] = tensors[IMAGE_POSITIONS].clone()  # a file shares no memory
    return to_safetensors(tensors, note=NOTE)
