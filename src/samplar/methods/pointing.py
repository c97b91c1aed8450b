"""From targets to points: the rows that PerSAM asks SAM about."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from samplar.methods.cascade import Asked
from samplar.methods.content import content_masks, content_sizes
from samplar.methods.contract import Batch
from samplar.methods.location import Prior, find_prior


def point_at(
    batch: Batch, targets: Float[Tensor, "k d"], *, outside: bool
) -> tuple[Asked, list[Prior]]:
    """Point at the place most like each target in each image: image by image, target by target.

    Args:
        batch: images and their embedding.
        targets: of length 1.
        outside: also point, as background, at the least similar place.
    """
    sizes = content_sizes(batch.images)
    priors = [
        find_prior(embedding, targets, size=batch.images.shape[-1], content=content)
        for embedding, content in zip(batch.embedding, sizes, strict=True)
    ]
    places = [torch.cat([prior.most() for prior in priors])]
    if outside:
        places.append(torch.cat([prior.least() for prior in priors]))
    device = batch.embedding.device
    image = torch.arange(len(priors), device=device).repeat_interleave(len(targets))
    labels = torch.tensor([1, 0][: len(places)], device=device).expand(len(image), -1)
    content = content_masks(sizes, batch.images)
    return Asked(batch.embedding, content, image, torch.stack(places, dim=1), labels), priors
