"""From targets to prompts: the rows that PerSAM asks about, image by image, target by target."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from samplar.methods.cascade import Asked
from samplar.methods.content import content_masks, content_sizes
from samplar.methods.contract import Batch
from samplar.methods.location import Prior, find_prior, standardised
from samplar.methods.region import region_box
from samplar.sam.prompt import Prompts


def find_priors(batch: Batch, targets: Float[Tensor, "k d"]) -> list[Prior]:
    """Compare each image with each target; the targets have length 1."""
    sizes = content_sizes(batch.images)
    return [
        find_prior(embedding, targets, size=batch.images.shape[-1], content=content)
        for embedding, content in zip(batch.embedding, sizes, strict=True)
    ]


def ask_points(batch: Batch, priors: list[Prior], *, outside: bool) -> Asked:
    """Point at the place most like each target, and with `outside` at the least similar one."""
    places = [torch.cat([prior.most() for prior in priors])]
    if outside:
        places.append(torch.cat([prior.least() for prior in priors]))
    labels = torch.tensor([1, 0][: len(places)], device=batch.embedding.device)
    prompts = Prompts(torch.stack(places, dim=1), labels.expand(len(places[0]), -1))
    return _asked(batch, priors, prompts)


def ask_boxes(batch: Batch, priors: list[Prior], levels: Float[Tensor, " k"]) -> Asked:
    """Put a box around what is most like each target; levels are of standardised similarity."""
    boxes = [
        region_box(similarity, level, (int(x), int(y)))
        for prior in priors
        for similarity, level, (x, y) in zip(
            standardised(prior.pixels), levels.tolist(), prior.most().tolist(), strict=True
        )
    ]
    rows = torch.stack(boxes) if boxes else torch.zeros(0, 4)
    return _asked(batch, priors, Prompts(boxes=rows.to(batch.embedding.device)))


def _asked(batch: Batch, priors: list[Prior], prompts: Prompts) -> Asked:
    first = torch.cat([prior.most() for prior in priors])
    images = torch.arange(len(priors), device=first.device)
    content = content_masks(content_sizes(batch.images), batch.images)
    image = images.repeat_interleave(len(first) // len(priors))
    return Asked(batch.embedding, content, image, first, prompts)
