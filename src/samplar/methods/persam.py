"""PerSAM: no training; find in a new image what looks most like the exemplar's structure.

Source: Zhang et al. 2023, arXiv 2305.03048, and its public code (MIT). The paper knows one
exemplar and one structure. Here each class is asked for on its own, and where masks overlap the
smaller one is in front. With several exemplars the target of a class is the mean over the exemplars
that show it of their mean features. Every class is looked for, and something is found, in every
image: PerSAM has no way to say that a structure is not there.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from samplar.config.base import Strict
from samplar.methods.asking import class_logits, decode_rows
from samplar.methods.cascade import refine
from samplar.methods.contract import Batch, Card, Memory
from samplar.methods.location import standardised
from samplar.methods.pointing import ask_boxes, ask_points, find_priors
from samplar.methods.region import fit_level
from samplar.methods.target import class_features, mean_of_exemplars
from samplar.sam.guidance import Guidance
from samplar.sam.model import Sam
from samplar.types import IGNORE

card = Card(
    name="persam",
    title="SAM pointed at what looks most like the exemplar, without training",
    paper="Zhang et al. 2023, arXiv 2305.03048",
    plugs_in="prompt, decoder",
    licence_note="published code is MIT",
    trains=False,
)


class Config(Strict):
    """How the target is measured and asked for, and whether to follow the authors' code."""

    prompt: Literal["points", "box"] = "points"
    """Points, as published; or a box, for SAMs that know no points."""
    coverage: float = Field(default=0.5, gt=0, le=1)
    """A cell shows the target if its mask covers at least this share; not used by `legacy`."""
    legacy: bool = False


def remember(sam: Sam, config: Config, exemplars: Batch) -> dict[str, Tensor]:
    """Keep the mean feature of every class, (k, d); zeros for one that no exemplar shows.

    With `box` also the level, (k,), at which the exemplars' similarity shows the class best.

    Raises:
        UsageError: `methods.labels` when the exemplars have none.
    """
    found = class_features(exemplars, coverage=config.coverage, legacy=config.legacy)
    nothing = torch.zeros(exemplars.embedding.shape[1], device=exemplars.embedding.device)
    means = [mean_of_exemplars(shown) if shown else nothing for shown in found]
    targets = torch.stack(means)
    if config.prompt == "points":
        return {"target": targets}
    return {"target": targets, "level": _levels(exemplars, targets)}


def _levels(exemplars: Batch, targets: Float[Tensor, "k d"]) -> Float[Tensor, " k"]:
    if exemplars.labels is None:
        raise ValueError("labels were checked by the caller")
    maps = [standardised(p.pixels) for p in find_priors(exemplars, F.normalize(targets, dim=1))]
    rows, columns = zip(*(m.shape[1:] for m in maps), strict=True)
    labels = [y[:h, :w] for y, h, w in zip(exemplars.labels, rows, columns, strict=True)]
    levels = torch.zeros(len(targets), device=targets.device)
    for number in torch.nonzero(targets.any(dim=1))[:, 0].tolist():
        shown = [
            (m[number], y == 1 + number, y != IGNORE)
            for m, y in zip(maps, labels, strict=True)
            if bool((y == 1 + number).any())
        ]
        if shown:
            levels[number] = fit_level(*map(list, zip(*shown, strict=True)))
    return levels


def logits(sam: Sam, config: Config, batch: Batch, memory: Memory) -> Float[Tensor, "b k r s"]:
    """Ask about the most similar place, with guidance, then refine."""
    known = torch.nonzero(memory["target"].any(dim=1))[:, 0]
    targets = memory["target"][known]
    priors = find_priors(batch, F.normalize(targets, dim=1))
    guidance = Guidance(
        torch.cat([prior.bias(legacy=config.legacy) for prior in priors]),
        targets.repeat(len(priors), 1),
        config.legacy,
    )
    if config.prompt == "points":
        asked, passes = ask_points(batch, priors, outside=True), [False, True]
    else:
        asked, passes = ask_boxes(batch, priors, memory["level"][known]), [False]
    masks, _ = decode_rows(sam, batch.embedding, asked.image, asked.prompts, guidance)
    masks = refine(sam, asked, masks[:, :1], boxes=passes)
    index = (1 + known).repeat(len(priors))
    return class_logits(masks[:, 0], asked.image, index, images=len(priors), classes=batch.classes)
