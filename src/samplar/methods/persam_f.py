"""PerSAM-F: PerSAM with two trained numbers a class, which weigh SAM's three masks.

Source: Zhang et al. 2023, arXiv 2305.03048, section 3.3, and its public code (MIT). Classes and
several exemplars as in `persam`; the numbers of a class are fitted to the mean loss over the
exemplars that show it. Guidance is not used, as in the authors' code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from samplar.config.base import Strict
from samplar.methods.asking import class_logits, decode_rows
from samplar.methods.cascade import Asked, refine
from samplar.methods.contract import Batch, Card, Memory
from samplar.methods.mask_weights import fit_weights, weighted
from samplar.methods.pointing import ask_points, find_priors
from samplar.methods.target import class_features, mean_of_exemplars
from samplar.sam.model import Sam
from samplar.types import IGNORE

card = Card(
    name="persam-f",
    title="PerSAM with two fitted numbers a class that weigh SAM's three masks",
    paper="Zhang et al. 2023, arXiv 2305.03048",
    plugs_in="prompt",
    licence_note="published code is MIT",
    trains=False,
)


class Config(Strict):
    """How the target is measured, and the schedule of the two numbers."""

    coverage: float = Field(default=0.5, gt=0, le=1)
    """A cell shows the target if its mask covers at least this share; not used by `legacy`."""
    steps: int = Field(default=1000, ge=0, le=100_000)
    rate: float = Field(default=1e-3, gt=0, le=1)
    legacy: bool = False


def remember(sam: Sam, config: Config, exemplars: Batch) -> dict[str, Tensor]:
    """Keep a target of length 1 per class, (k, d), and the weights of the last two masks, (k, 2).

    Raises:
        UsageError: `methods.labels` when the exemplars have none.
    """
    found = class_features(exemplars, coverage=config.coverage, legacy=config.legacy)
    width, device = exemplars.embedding.shape[1], exemplars.embedding.device
    targets = torch.zeros(len(found), width, device=device)
    weights = torch.full((len(found), 2), 1 / 3, device=device)
    for number, shown in enumerate(found):
        if shown:
            largest = torch.cat(shown).amax(dim=0)
            targets[number] = F.normalize((largest + mean_of_exemplars(shown)) / 2, dim=0)
            weights[number] = _fitted(sam, config, exemplars, targets[number], 1 + number)
    return {"target": targets, "weights": weights}


def _fitted(
    sam: Sam, config: Config, exemplars: Batch, target: Float[Tensor, " d"], index: int
) -> Float[Tensor, " 2"]:
    """Weigh the three masks that the exemplars' own points give, against the exemplars' labels."""
    if exemplars.labels is None:
        raise ValueError("labels were checked by the caller")
    asked = ask_points(exemplars, find_priors(exemplars, target[None]), outside=False)
    shows = (exemplars.labels == index).flatten(1).any(dim=1)
    masks = first_masks(sam, asked)[shows]
    side = exemplars.images.shape[-1]
    pixels = F.interpolate(masks, (side, side), mode="bilinear", align_corners=False)
    labels = exemplars.labels[shows]
    return fit_weights(
        pixels.flatten(2),
        (labels == index).flatten(1),
        (asked.content[shows] & (labels != IGNORE)).flatten(1),
        steps=config.steps,
        rate=config.rate,
    )


def first_masks(sam: Sam, asked: Asked) -> Float[Tensor, "p 3 r s"]:
    """Return SAM's three masks for the points alone."""
    return decode_rows(sam, asked.embedding, asked.image, asked.prompts)[0][:, 1:]


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k r s"]:
    """Point at the most similar place, weigh the three masks, then refine twice with the box."""
    known = torch.nonzero(memory["target"].any(dim=1))[:, 0]
    priors = find_priors(batch, memory["target"][known])
    asked = ask_points(batch, priors, outside=False)
    weights = memory["weights"][known].repeat(len(priors), 1)
    masks = weighted(first_masks(sam, asked), weights)
    masks = refine(sam, asked, masks, boxes=(True, True))
    index = (1 + known).repeat(len(priors))
    return class_logits(masks[:, 0], asked.image, index, images=len(priors), classes=batch.classes)
