"""AutoSAM of Shaharabany: SAM stays as it is; a network makes its dense prompt from the image.

Source: Shaharabany et al. 2023, arXiv 2306.06370. The published code has no licence: nothing of it
was used. Another AutoSAM, of Hu et al., is in autosam_decoder.py.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from samplar.config.base import Strict
from samplar.config.loss import ForegroundLossConfig
from samplar.methods.contract import Batch, Card, Memory
from samplar.methods.hardnet import HARDNET_85, SMALL
from samplar.methods.image_prompt import SMALLEST, ImagePrompt
from samplar.sam.model import Sam
from samplar.sam.unfilled import built_on

card = Card(
    name="autosam-prompt",
    title="All of SAM frozen; a network beside it turns the image into the decoder's dense prompt",
    paper="Shaharabany et al. 2023, arXiv 2306.06370 (AutoSAM)",
    plugs_in="prompt encoder",
    licence_note="published code has no licence and was not used",
    differs=(
        (
            "The network starts at random, and norms each image by itself.",
            "Published, it starts from ImageNet weights with their batch norms. Samplar brings no "
            "weights but SAM's, and statistics of a few slices are no substitute.",
        ),
        (
            "Logits are SAM's own.",
            "Published: each map is stretched so that it reaches from 0 to 1, in training and in "
            "use, which cannot say that there is nothing. `normalise: minmax` does so.",
        ),
        (
            "Several classes: a map for each, from the last convolution on.",
            "The paper has one class, for which nothing is added.",
        ),
        (
            "Pixels are normed once, and the network sees the frame at its own size.",
            "Published: SAM sees them normed twice; the network sees 256, 352 or 512 pixels, as "
            "`side` says.",
        ),
        (
            "AdamW with warm-up and decay.",
            "Published: Adam at 3e-4, thousands of epochs, the best of them chosen on the test "
            "set. All methods share one loop and never look at the test.",
        ),
    ),
)

LR = 3e-4
"""As published."""
SLIVER = 1e-6
SHAPES = {"hardnet-85": HARDNET_85, "small": SMALL}


class Config(Strict):
    """Which network, what it sees, how maps become probabilities, and the loss."""

    network: Literal["hardnet-85", "small"] = "hardnet-85"
    side: int | None = Field(default=None, ge=SMALLEST, le=2048)
    """Pixels on a side of what the network sees; none: those of the frame."""
    normalise: Literal["none", "minmax"] = "none"
    """none: sigmoid of SAM's logits; minmax: each map stretched to reach from 0 to 1."""
    loss: ForegroundLossConfig = ForegroundLossConfig(squared=False, over="image", smooth=2.0)


def attach(sam: Sam, config: Config, classes: int) -> None:
    """Put the network beside SAM, all of which stays frozen.

    41,558,300 numbers train for one class: HarDNet-85 35,389,212, the rest 6,169,088.
    """
    width, shape = sam.prompt_encoder.width, SHAPES[config.network]
    made = built_on(sam.device, lambda: ImagePrompt(shape, width, maps=classes, side=config.side))
    sam.prompt_encoder.add_module("image_prompt", made)


def loss(config: Config) -> ForegroundLossConfig:
    """Return the configured loss."""
    return config.loss


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k r s"]:
    """Decode SAM's single mask for each class, told by its map; background has logit 0."""
    classes, embedding = batch.classes, batch.embedding
    grid = (embedding.shape[-2], embedding.shape[-1])
    maps = sam.prompt_encoder.get_submodule("image_prompt")(batch.images, grid)
    dense = maps.unflatten(1, (classes, -1)).flatten(0, 1)
    sparse = dense.new_zeros(len(dense), 0, dense.shape[1])
    masks, _ = sam.decode_encoded(embedding.repeat_interleave(classes, 0), sparse, dense)
    found = masks[:, 0].unflatten(0, (len(embedding), classes))
    found = stretched(found) if config.normalise == "minmax" else found
    return torch.cat([torch.zeros_like(found[:, :1]), found], dim=1)


def stretched(maps: Float[Tensor, "b k r s"]) -> Float[Tensor, "b k r s"]:
    """Return the logits of each map's share of the way from its lowest value to its highest."""
    maps = maps.float()
    low, high = maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True)
    return torch.logit((maps - low) / (high - low + SLIVER), eps=SLIVER)
