"""The other trivial baseline: ridge regression from frozen features to classes, in closed form."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from samplar.config.base import Strict
from samplar.errors import UsageError
from samplar.methods.contract import Batch, Card, Memory
from samplar.sam.model import Sam
from samplar.sam.precision import at_least_single
from samplar.types import IGNORE

card = Card(
    name="linear-probe",
    title="Ridge regression from each cell of the frozen embedding to its class",
    paper="this library",
    plugs_in="nothing",
    licence_note="ours",
    trains=False,
    trivial=True,
)

SHARPNESS = 10.0
"""From regressed class shares, which lie near 0 and 1, to logits."""


class Config(Strict):
    """How strongly the weights are held back, relative to the mean feature energy."""

    ridge: float = Field(default=0.1, gt=0)


def remember(sam: Sam, config: Config, exemplars: Batch) -> dict[str, Tensor]:
    """Solve (X'X + r I) W = X'Y in float64, Y the share of each class in each cell."""
    if exemplars.labels is None:
        raise UsageError(
            "linear-probe needs labels to fit",
            fix="Give labelled exemplars",
            code="methods.labels",
        )
    share, known = _class_shares(exemplars)
    features = _with_bias(exemplars.embedding).double()
    rows = known.reshape(-1) > 0.5
    x = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])[rows]
    y = share.permute(0, 2, 3, 1).reshape(-1, share.shape[1])[rows].double()
    gram = x.T @ x
    gram += config.ridge * gram.diagonal().mean() * torch.eye(len(gram), device=x.device)
    return {"weight": torch.linalg.solve(gram, x.T @ y).float()}


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k i j"]:
    """Apply the regression to every cell."""
    features = _with_bias(batch.embedding)
    weight = memory["weight"].to(features.dtype)
    return SHARPNESS * torch.einsum("bdij,dk->bkij", features, weight)


def _with_bias(embedding: Tensor) -> Float[Tensor, "b d i j"]:
    embedding = at_least_single(embedding)
    return torch.cat([embedding, torch.ones_like(embedding[:, :1])], dim=1)


def _class_shares(batch: Batch) -> tuple[Float[Tensor, "b k i j"], Float[Tensor, "b i j"]]:
    """Return each class's share of the labelled pixels of each cell, and the labelled share."""
    if batch.labels is None:
        raise ValueError("labels were checked by the caller")
    labels = batch.labels.long()
    known = (labels != IGNORE).float()
    hot = F.one_hot(labels.masked_fill(labels == IGNORE, 0), batch.classes + 1).float()
    hot = hot.permute(0, 3, 1, 2) * known[:, None]
    grid = (batch.embedding.shape[-2], batch.embedding.shape[-1])
    seen = F.adaptive_avg_pool2d(known[:, None], grid)
    return F.adaptive_avg_pool2d(hot, grid) / seen.clamp(min=1e-6), seen[:, 0]
