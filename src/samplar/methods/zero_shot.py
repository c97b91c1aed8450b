"""SAM as published, prompted from the truth: an oracle, for comparison only.

One box, or one point, per class, taken from the labels of the very image it segments. What it shows
is how well SAM cuts out a structure that somebody else has already found.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from samplar.config.base import Strict
from samplar.errors import UsageError
from samplar.methods.contract import Batch, Card, Memory
from samplar.sam.model import Sam
from samplar.sam.prompt import Prompts

card = Card(
    name="zero-shot",
    title="SAM without training, prompted with each class's true box or point (oracle)",
    paper="Kirillov et al. 2023, arXiv 2304.02643",
    plugs_in="prompt",
    prompts="oracle box or point",
    licence_note="Apache-2.0",
    trains=False,
)

ABSENT = -1e4
"""Logit of a class that the oracle says is not there."""


class Config(Strict):
    """Which oracle."""

    prompt: Literal["box", "point"] = "box"


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k i j"]:
    """Prompt every class that the labels show; background has logit 0, SAM's own threshold.

    Raises:
        UsageError: `methods.oracle` when the images come without labels.
    """
    if batch.labels is None:
        raise UsageError(
            "zero-shot is an oracle that reads the labels of what it segments, and there are none",
            fix="Use it on a labelled data set, or choose a method that needs no prompt",
            code="methods.oracle",
        )
    pairs = [(i, k) for i in range(len(batch.labels)) for k in range(1, batch.classes + 1)]
    present = [(i, k) for i, k in pairs if bool((batch.labels[i] == k).any())]
    height, width = (4 * side for side in batch.embedding.shape[-2:])
    out = batch.embedding.new_full((len(batch.labels), batch.classes + 1, height, width), ABSENT)
    out[:, 0] = 0
    for image, index in present:
        prompts = prompt_of(batch.labels[image] == index, config.prompt)
        masks, _ = sam.decode(batch.embedding[image : image + 1], prompts)
        out[image, index] = masks[0, 0]
    return out


def prompt_of(mask: Tensor, kind: Literal["box", "point"]) -> Prompts:
    """Return the tight box around a mask (h, w), or the mask's pixel farthest from its border."""
    ys, xs = torch.nonzero(mask, as_tuple=True)
    if kind == "box":
        corners = torch.stack([xs.min(), ys.min(), xs.max(), ys.max()])
        return Prompts(boxes=corners[None].float())
    deepest = int(_depth(mask)[ys, xs].argmax())
    point = torch.stack([xs[deepest], ys[deepest]]).float()
    label = torch.ones(1, 1, dtype=torch.long, device=mask.device)
    return Prompts(points=point.view(1, 1, 2), labels=label)


def _depth(mask: Tensor) -> Tensor:
    """Count how many erosions each pixel survives (3 x 3, the outside counts as background)."""
    layer = mask.float()[None, None]
    depth = torch.zeros_like(layer)
    while layer.any():
        depth += layer
        padded = torch.nn.functional.pad(1 - layer, (1, 1, 1, 1), value=1.0)
        layer = 1 - torch.nn.functional.max_pool2d(padded, 3, stride=1)
    return depth[0, 0]
