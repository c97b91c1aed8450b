"""The exemplars made ready: everything that is worked out once, before the first draw."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from samplar.errors import InputError
from samplar.synthesis.background import paint_out
from samplar.synthesis.organs import Organ, find_organs
from samplar.synthesis.resample import Layers, make_layers
from samplar.synthesis.samples import Samples
from samplar.types import IGNORE


@dataclass(frozen=True)
class Stock:
    """What rendering draws from; one entry per exemplar in each list.

    Args:
        layers: the exemplars, then the exemplars with their organs painted out.
        organs: by class index, largest first.
        channels: of the exemplars; the layers hold every third one where images are grey.
        means: intensity of the valid pixels.
        grid: rows (s, 1) and columns (1, s) of the canvas, float32.
        side: s.
    """

    layers: Layers
    organs: list[dict[int, Organ]]
    channels: int
    means: list[float]
    grid: tuple[Tensor, Tensor]
    side: int


def prepare(exemplars: Samples, *, classes: int) -> Stock:
    """Check the exemplars and work out what every draw needs.

    Raises:
        InputError: `synthesis.no_exemplars`, `synthesis.labels` (an index above `classes`) or
            `synthesis.range` (intensities outside [0, 1], or not numbers).
    """
    _check(exemplars, classes)
    images = _distinct_channels(exemplars.images)
    samples = list(zip(images, exemplars.labels, exemplars.valid, strict=True))
    cleaned = [paint_out(*sample, seed=index) for index, sample in enumerate(samples)]
    return Stock(
        layers=make_layers(
            torch.cat([images, torch.stack([image for image, _ in cleaned])]),
            torch.cat([exemplars.labels, torch.stack([labels for _, labels in cleaned])]),
            torch.cat([exemplars.valid, exemplars.valid]),
        ),
        organs=[find_organs(labels, valid) for _, labels, valid in samples],
        channels=exemplars.images.shape[1],
        means=[_mean(image, valid) for image, _, valid in samples],
        grid=_grid(exemplars.side, exemplars.images.device),
        side=exemplars.side,
    )


def _check(exemplars: Samples, classes: int) -> None:
    if len(exemplars) == 0:
        raise InputError(
            "there are no exemplars",
            fix="Give at least one labelled slice",
            code="synthesis.no_exemplars",
        )
    known = exemplars.labels[exemplars.labels != IGNORE]
    if known.numel() and int(known.max()) > classes:
        raise InputError(
            f"an exemplar has class index {int(known.max())}, but there are {classes} classes",
            fix="Give class indices, not file values",
            code="synthesis.labels",
        )
    images = exemplars.images
    if not bool(((images >= 0) & (images <= 1)).all()):
        raise InputError(
            f"exemplar intensities run from {float(images.min())} to {float(images.max())}",
            fix="Scale them to [0, 1]",
            code="synthesis.range",
        )


def _distinct_channels(images: Tensor) -> Tensor:
    """Return one channel a slice when all three are the same, as in grey images: less work."""
    slices = images.unflatten(1, (-1, 3))
    grey = bool((slices == slices[:, :, :1]).all())
    return slices[:, :, 0] if grey else images


def _mean(image: Tensor, valid: Tensor) -> float:
    return float(image[:, valid].mean()) if valid.any() else 0.0


def _grid(side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    at = torch.arange(side, dtype=torch.float32, device=device)
    return at[:, None], at[None]
