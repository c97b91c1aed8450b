"""Exemplars as the batch that synthesis and the model work on."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from samplar.exemplars.exemplar import Exemplar, ExemplarSet
from samplar.sam.frame import fitted_size, letterbox, letterbox_labels
from samplar.synthesis.samples import Samples


def as_samples(exemplars: ExemplarSet, size: int) -> Samples:
    """Bring exemplars of any size into the model's frame, in order, on the CPU."""
    parts = [_framed(exemplar, size) for exemplar in exemplars.exemplars]
    images, labels, valid = zip(*parts, strict=True)
    return Samples(torch.cat(images), torch.cat(labels), torch.cat(valid))


def painted(samples: Samples, colour: Float[torch.Tensor, "3 1 1"]) -> Samples:
    """Give whatever lies beside the image the colour that the base weights expect there."""
    if not colour.any():  # it is black already
        return samples
    every = colour.to(samples.images).repeat(samples.images.shape[1] // 3, 1, 1)
    images = torch.where(samples.valid[:, None], samples.images, every)
    return Samples(images, samples.labels, samples.valid)


def _slab(exemplar: Exemplar) -> np.ndarray:
    """Return the exemplar and its neighbours in order, one after another along the channels."""
    if exemplar.beside is None:
        return exemplar.image
    before, after = np.split(exemplar.beside, 2)
    return np.concatenate([*before, exemplar.image, *after])


def _framed(exemplar: Exemplar, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    image = letterbox(torch.from_numpy(_slab(exemplar))[None], size).clamp(0, 1)
    labels = letterbox_labels(torch.from_numpy(exemplar.labels)[None], size)
    height, width = fitted_size(exemplar.labels.shape[0], exemplar.labels.shape[1], size)
    valid = torch.zeros(1, size, size, dtype=torch.bool)
    valid[:, :height, :width] = True
    return image, labels, valid
