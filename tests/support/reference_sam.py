"""Hugging Face's SAM with the same weights as one of ours: an independent implementation."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import SamConfig, SamModel

from samplar.sam.hugging_face import hugging_face_state
from samplar.sam.model import Sam
from samplar.sam.prompt import Prompts


def reference_of(sam: Sam, size: int, *, attention: str = "eager") -> SamModel:
    """Build a `SamModel` for square inputs of one size; its position tables are resized first.

    Images go in as the encoder sees them: `SamModel` leaves pixel statistics to its processor.
    """
    model = SamModel(_config(sam, size, attention)).eval()
    model.load_state_dict(_resized(hugging_face_state(sam.state_dict()), model.state_dict()))
    return model


def _config(sam: Sam, size: int, attention: str) -> SamConfig:
    encoder, width = sam.shape.encoder, sam.shape.encoder.output
    frame = {"image_size": size, "patch_size": encoder.patch}
    return SamConfig(
        vision_config={
            **frame,
            "hidden_size": encoder.width,
            "mlp_dim": 4 * encoder.width,
            "num_hidden_layers": encoder.depth,
            "num_attention_heads": encoder.heads,
            "global_attn_indexes": list(encoder.global_blocks),
            "window_size": encoder.window,
            "output_channels": width,
            "num_pos_feats": width // 2,
        },
        prompt_encoder_config={**frame, "hidden_size": width},
        mask_decoder_config={
            "hidden_size": width,
            "mlp_dim": sam.shape.decoder_hidden,
            "iou_head_hidden_dim": width,
            "layer_norm_eps": 1e-5,  # the published one; transformers' own default is 1e-6
        },
        attn_implementation=attention,
    )


def _resized(state: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """Bring position tables to the shapes of `wanted`, as the public loaders do it."""
    result = dict(state)
    for name, tensor in state.items():
        shape = wanted[name].shape
        if tensor.shape == shape:
            continue
        if name.endswith("pos_embed"):
            table = tensor.permute(0, 3, 1, 2)
            table = F.interpolate(table, tuple(shape[1:3]), mode="bilinear", align_corners=False)
            result[name] = table.permute(0, 2, 3, 1)
        else:
            # as a picture of one channel, of which only the height changes
            table = F.interpolate(tensor[None, None], tuple(shape), mode="bilinear")
            result[name] = table[0, 0]
    return result


@torch.no_grad()
def decoded(model: SamModel, embedding: Tensor, prompts: Prompts) -> tuple[Tensor, Tensor]:
    """Return all four masks (1, 4, r, s) and IoU (1, 4) of one prompt, like `Sam.decode`."""
    given: dict[str, Any] = {}
    if prompts.points is not None:
        given |= {"input_points": prompts.points[None], "input_labels": prompts.labels[None]}
    if prompts.boxes is not None:
        given |= {"input_boxes": prompts.boxes[None]}
    if prompts.masks is not None:
        given |= {"input_masks": prompts.masks}
    found = [
        model(image_embeddings=embedding, multimask_output=several, **given)
        for several in (False, True)
    ]
    masks = torch.cat([output.pred_masks for output in found], dim=2)[:, 0]
    return masks, torch.cat([output.iou_scores for output in found], dim=2)[:, 0]
