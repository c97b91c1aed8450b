"""A convolutional network beside SAM's encoder, whose features are added to the tokens.

Source: Yang et al. 2024 (SAM-UNet), arXiv 2408.09886, and a description of its code, which has no
licence: nothing of it was used.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samplar.methods.bottleneck import Start
from samplar.methods.resnet import STRIDES, ResNet, ResNetShape
from samplar.sam.blocks import plain_vit_blocks
from samplar.sam.layers import LayerNorm2d
from samplar.sam.model import Sam
from samplar.sam.pixels import SAM_PIXELS, PixelScale
from samplar.sam.unfilled import built_on
from samplar.sam.vit import ViTBlock


class Reshaper(nn.Module):
    """Features of one stage brought to the grid and the width of SAM's tokens.

    Args:
        inputs: channels of the stage.
        width: numbers per token.
        stride: pixels per cell of the stage.
        patch: pixels per token.
        start: `zero` adds nothing to the tokens until something is learnt; `random` as published.
    """

    def __init__(self, inputs: int, width: int, *, stride: int, patch: int, start: Start) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        while stride != patch:
            finer = stride > patch
            stride = stride // 2 if finer else stride * 2
            outputs = inputs // 2 if finer else inputs * 2
            layers += [_twice(inputs, outputs, finer=finer), LayerNorm2d(outputs), nn.GELU()]
            inputs = outputs
        last = nn.Conv2d(inputs, width, 1)
        self.layers = nn.Sequential(*layers, last)
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        if start == "zero":
            nn.init.zeros_(last.weight)

    def forward(
        self, x: Float[Tensor, "b c h w"], grid: tuple[int, int]
    ) -> Float[Tensor, "b d i j"]:
        """Return features on `grid`; a last cell that covers only half a cell is cut in two."""
        return self.layers(x)[..., : grid[0], : grid[1]]


def _twice(inputs: int, outputs: int, *, finer: bool) -> nn.Module:
    """Return the layer that doubles a grid, or halves it."""
    if finer:
        return nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
    return nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)


def global_blocks(sam: Sam, method: str) -> list[ViTBlock]:
    """Return the blocks that attend over the whole grid.

    Raises:
        UsageError: `methods.plain_vit`, when the encoder is no plain ViT.
    """
    return [block for _, block in plain_vit_blocks(sam, method) if not block.attn.window]


def add_branch(sam: Sam, shape: ResNetShape, *, method: str, start: Start) -> None:
    """Put a ResNet beside the encoder, and before each global block what brings a stage to it.

    There are as many stages as such blocks, at most four.

    Raises:
        UsageError: `methods.plain_vit`.
    """
    blocks = global_blocks(sam, method)[: len(STRIDES)]
    shape = replace(shape, blocks=shape.blocks[: len(blocks)])
    encoder = sam.image_encoder
    branch = nn.Sequential(PixelScale(SAM_PIXELS), built_on(sam.device, partial(ResNet, shape)))
    encoder.add_module("branch", branch.to(sam.device))
    for block, inputs, stride in zip(blocks, shape.outputs, STRIDES, strict=False):
        width = len(block.norm1.weight)
        make = partial(Reshaper, inputs, width, stride=stride, patch=encoder.stride, start=start)
        block.add_module("side", built_on(sam.device, make))


def encode_beside(
    sam: Sam, images: Float[Tensor, "b 3 h w"]
) -> tuple[Float[Tensor, "b d i j"], list[Float[Tensor, "b c i j"]]]:
    """Return the embedding, and the tokens after each global block but the last.

    The published code keeps these on a module and adds to them in place; here nothing is kept, so
    that it may be run again while gradients are computed. A SAM without a branch is encoded as it
    is.
    """
    features = iter(_features(sam, images))
    x, seen = images, []
    for _, step in sam.steps():
        if isinstance(step, ViTBlock) and not step.attn.window:
            side = dict(step.named_children()).get("side")
            x = x if side is None else x + side(next(features), (x.shape[-2], x.shape[-1]))
            seen.append(step(x))
            x = seen[-1]
        else:
            x = step(x)
    return x, seen[:-1]


def _features(sam: Sam, images: Tensor) -> list[Tensor]:
    branch = dict(sam.image_encoder.named_children()).get("branch")
    return [] if branch is None else branch(images)


def packed(embedding: Tensor, seen: list[Tensor]) -> Float[Tensor, "b e i j"]:
    """Put the embedding and the tokens behind one another along the channels."""
    return torch.cat([embedding, *seen], dim=1)


def unpacked(
    together: Float[Tensor, "b e i j"], *, width: int, skips: int
) -> tuple[Float[Tensor, "b d i j"], list[Float[Tensor, "b c i j"]]]:
    """Undo `packed`, for an embedding of `width` channels and the tokens of so many depths."""
    embedding, rest = together[:, :width], together[:, width:]
    return embedding, list(rest.unflatten(1, (skips, -1)).unbind(dim=1))
