"""SAM's decoder as a multi-class head: one mask token per class, background first."""

from __future__ import annotations

import copy
from typing import Literal

import torch
from torch import nn

from samplar.sam.model import Sam

HeadInit = Literal["sam", "random"]


def set_class_tokens(sam: Sam, classes: int, *, init: HeadInit) -> None:
    """Give the decoder `classes + 1` mask tokens.

    Args:
        sam: changed in place.
        classes: number of foreground classes.
        init: `random` as in SAMed (token, hypernetwork and quality head all new); `sam` starts
            every class from the pre-trained single-mask token and hypernetwork, a little apart.
    """
    decoder = sam.mask_decoder
    token, network = decoder.mask_tokens, decoder.output_hypernetworks_mlps[0]
    decoder.set_mask_tokens(classes + 1)
    decoder.iou_prediction_head.requires_grad_(False)  # no loss reaches it
    if init == "random":
        return
    spread = token.weight.detach().std()
    with torch.no_grad():
        decoder.mask_tokens.weight.mul_(0.5 * spread).add_(token.weight[0])
    decoder.output_hypernetworks_mlps = nn.ModuleList(
        copy.deepcopy(network) for _ in range(classes + 1)
    )


def train_decoder(sam: Sam, *, transformer: bool, idle: bool = False) -> None:
    """Make the decoder and the embedding of "no prompt" trainable.

    Args:
        sam: changed in place.
        transformer: False freezes the two-way transformer.
        idle: True also declares trainable what no loss reaches as long as SAM is not prompted: the
            embeddings of points, boxes and masks, and the quality head. SAMed's code does, so that
            they are in its published counts and in its files. Without a gradient the optimiser
            leaves them alone, weight decay included, and they keep their values.
    """
    sam.mask_decoder.requires_grad_(True)
    sam.mask_decoder.iou_prediction_head.requires_grad_(idle)
    if idle:
        sam.prompt_encoder.requires_grad_(True)
    sam.prompt_encoder.no_mask_embed.requires_grad_(True)
    if not transformer:
        freeze_transformer(sam)


def freeze_transformer(sam: Sam) -> None:
    """Freeze the two-way transformer; low-rank paths added to it afterwards still train."""
    sam.mask_decoder.transformer.requires_grad_(False)
