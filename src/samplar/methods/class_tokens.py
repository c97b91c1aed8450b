"""Three tokens of its own for every class, with which SAM's decoder is asked about that class.

Source: Hu, Xu, Shi 2023, arXiv 2306.13731, and the public code (Apache-2.0).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samplar.methods.head import HeadInit
from samplar.sam.decoder import MaskDecoder
from samplar.sam.unfilled import built_on
from samplar.sam.upscaling import placed

MASKS = 2
"""Mask tokens of a class. Only the first gives a mask; the second is there to be attended to."""


class ClassTokens(nn.Module):
    """Two mask tokens per class, which train, and, unless they are SAM's, quality tokens.

    The quality tokens are frozen. Published, they stay as they were drawn; here they are drawn from
    a fixed seed, so that they need not be kept with what was trained.
    """

    quality: Tensor | None

    def __init__(self, classes: int, width: int, *, own_quality: bool) -> None:
        super().__init__()
        self.masks = nn.Parameter(torch.empty(classes, MASKS, width))
        nn.init.normal_(self.masks)
        self.register_buffer(
            "quality", _drawn(classes, width) if own_quality else None, persistent=False
        )

    def forward(self, quality: Float[Tensor, "1 d"]) -> Float[Tensor, "k 3 d"]:
        """Return the tokens of all classes; `quality` is SAM's, for those that have none."""
        own = quality.expand(len(self.masks), -1) if self.quality is None else self.quality
        return torch.cat([own[:, None], self.masks], dim=1)


def _drawn(classes: int, width: int) -> Float[Tensor, "k d"]:
    """Return numbers of variance 1, the same on every processor; never without numbers (`meta`)."""
    generator = torch.Generator(device="cpu").manual_seed(0)
    draws = torch.rand(classes, width, generator=generator, device="cpu")
    return math.sqrt(3) * (2 * draws - 1)


def add_class_tokens(decoder: MaskDecoder, classes: int, *, init: HeadInit) -> None:
    """Give the decoder tokens for `classes` classes, background counted, and train what they use.

    These are the transformer, the upscaling and the networks of the first two masks, though no loss
    reaches the second: the published count of 3,646,880 for four classes holds it.

    Args:
        decoder: changed in place.
        classes: with background.
        init: `random` as published, quality tokens too; `sam` starts every class from SAM's first
            two mask tokens, a little apart, and asks with SAM's quality token.
    """
    device, base = decoder.iou_token.weight.device, decoder.mask_tokens.weight.detach()
    made = built_on(
        device, lambda: ClassTokens(classes, decoder.width, own_quality=init == "random")
    )
    if init == "sam":
        with torch.no_grad():
            made.masks.mul_(0.5 * base.std()).add_(base[:MASKS])
    decoder.add_module("class_tokens", made)
    decoder.transformer.requires_grad_(True)
    decoder.output_upscaling.requires_grad_(True)
    for network in decoder.output_hypernetworks_mlps[:MASKS]:
        network.requires_grad_(True)


def decode_apart(
    decoder: MaskDecoder, embedding: Float[Tensor, "b d i j"], place: Float[Tensor, "1 d i j"]
) -> Float[Tensor, "b k r s"]:
    """Ask about every class apart; return the first mask of each, on a grid four times finer.

    Every image is repeated for each class, image by image. Nothing stands for "no prompt": the
    embedding goes in as it is.
    """
    tokens = decoder.get_submodule("class_tokens")(decoder.iou_token.weight)
    classes, images = len(tokens), len(embedding)
    source = embedding.repeat_interleave(classes, dim=0)
    asked, image = decoder.attend(source, place, tokens.repeat(images, 1, 1))
    wanted = decoder.output_hypernetworks_mlps[0](asked[:, 1])
    cells = decoder.output_upscaling.cells(image)
    values = (cells.flatten(1, 2) @ wanted[..., None]).unflatten(1, cells.shape[1:3])
    grid = (embedding.shape[-2], embedding.shape[-1])
    return placed(values, grid)[:, 0].unflatten(0, (images, classes))
