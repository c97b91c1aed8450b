"""The trivial baseline: give every image the labels of the exemplar it looks most like."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from samplar.config.base import Strict
from samplar.errors import UsageError
from samplar.methods.contract import Batch, Card, Memory
from samplar.sam.model import Sam
from samplar.sam.precision import autocast

card = Card(
    name="copy-nearest",
    title="The label map of the exemplar with the closest image embedding",
    paper="this library",
    plugs_in="nothing",
    licence_note="ours",
    trains=False,
    trivial=True,
)

SURE = 10.0
"""Logit of a copied label: a probability of about 0.9999."""


class Config(Strict):
    """Nothing to set."""


def remember(sam: Sam, config: Config, exemplars: Batch) -> dict[str, Tensor]:
    """Keep the embedding (flattened, unit length) and the labels of every exemplar."""
    if exemplars.labels is None:
        raise UsageError(
            "copy-nearest needs labels to copy",
            fix="Give labelled exemplars",
            code="methods.labels",
        )
    return {"embedding": _unit(exemplars.embedding), "labels": exemplars.labels}


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k s s"]:
    """Return the labels of the exemplar with the largest cosine similarity."""
    with autocast("fp32", batch.embedding.device):  # half precision cannot tell the nearest apart
        nearest = (_unit(batch.embedding) @ memory["embedding"].T).argmax(dim=1)
    labels = memory["labels"][nearest].long()
    copied = labels.masked_fill(labels > batch.classes, 0)
    return SURE * F.one_hot(copied, batch.classes + 1).permute(0, 3, 1, 2).float()


def _unit(embedding: Tensor) -> Float[Tensor, "b d"]:
    pooled = F.adaptive_avg_pool2d(embedding.float(), 8)
    return torch.nn.functional.normalize(pooled.flatten(1), dim=1)
