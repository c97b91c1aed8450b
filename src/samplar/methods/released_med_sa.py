"""What the released code of Medical SAM Adapter does to SAM's encoder besides adding adapters.

Source: the specification's account of it; the code is GPL-3.0 and was not used.
"""

from __future__ import annotations

import torch
from torch import nn

from samplar.sam.blocks import plain_vit_blocks
from samplar.sam.model import Sam


def as_released(sam: Sam, *, method: str) -> None:
    """Take the relative positions away, and pad windows with what the norm makes of zeros.

    Its tables have other names than those in SAM's files and so stay at zero; it cuts windows
    before the first norm, so that the padding is not zero but the norm's bias.

    Raises:
        UsageError: `methods.plain_vit`.
    """
    for _, block in plain_vit_blocks(sam, f"{method} with legacy"):
        for name in ("rel_pos_h", "rel_pos_w"):
            table = block.attn.get_parameter(name)
            empty = nn.Parameter(torch.zeros_like(table), requires_grad=False)
            setattr(block.attn, name, empty)
        block.attn.padding = block.norm1.bias.detach().clone()
