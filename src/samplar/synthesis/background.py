"""Backgrounds without organs: the foreground painted out from the tissue around it."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from samplar.types import IGNORE

HOLE_MARGIN = 3.0
"""Pixels by which organs are widened before they are painted out: masks miss their blurred rim."""

RING_WIDTH = 5.0
"""Pixels around the hole from which the paint is mixed."""

GRAIN = 1.0
"""Sigma in pixels that separates the grain of the tissue from its shape."""


def paint_out(
    image: Tensor, labels: Tensor, valid: Tensor, *, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Fill the foreground with the smooth continuation of its surroundings plus their grain.

    Args:
        image: (c, s, s) float32.
        labels: (s, s) uint8; 255 is not foreground and stays.
        valid: (s, s) bool; nothing outside is used or changed.
        seed: of the grain.

    Returns:
        The filled image and its labels: 0, or 255 where nobody labelled. Without any valid pixel
        around the foreground, the fill is the mean of the valid image.
    """
    foreground = (labels > 0) & (labels != IGNORE)
    empty = torch.where(labels == IGNORE, labels, torch.zeros_like(labels))
    if not foreground.any():
        return image.clone(), empty
    hole, ring = _hole_and_ring(foreground & valid, valid)
    smooth = _continued(image, ring, fallback=_mean(image, valid))
    grain = _grain(image, ring, seed=seed)
    return torch.where(hole, (smooth + grain).clamp(0, 1), image), empty


def _hole_and_ring(foreground: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    far = torch.from_numpy(distance_transform_edt(~foreground.cpu().numpy())).to(valid.device)
    hole, reach = far <= HOLE_MARGIN, far <= HOLE_MARGIN + RING_WIDTH
    return hole & valid, reach & ~hole & valid


def _mean(image: Tensor, valid: Tensor) -> Tensor:
    weight = valid.to(image.dtype)
    total = (image * weight).sum(dim=(1, 2)) / weight.sum().clamp(min=1)
    return total[:, None, None].expand_as(image)


def _continued(image: Tensor, known: Tensor, *, fallback: Tensor) -> Tensor:
    """Continue the known pixels over the whole plane, coarse to fine (push-pull averaging).

    Gortler and others, "The Lumigraph", 1996, section 3.3: halve until one pixel is left, then
    let each finer level keep what it knows and take the rest from the coarser one.
    """
    weight = known.to(image.dtype)[None, None]
    levels = [(image[None] * weight, weight)]
    while levels[-1][1].shape[-1] > 1:
        value, weight = (_halved(plane) for plane in levels[-1])
        levels.append((value, weight))
    filled = fallback[None, :, :1, :1]
    for value, weight in reversed(levels):
        filled = interpolate(filled, size=value.shape[-2:], mode="bilinear", align_corners=False)
        share = weight.clamp(max=1)
        filled = share * value / weight.clamp(min=1e-6) + (1 - share) * filled
    return filled[0]


def _halved(plane: Tensor) -> Tensor:
    odd = plane.shape[-1] % 2
    return avg_pool2d(pad(plane, (0, odd, 0, odd)), 2) * 4


def _grain(image: Tensor, ring: Tensor, *, seed: int) -> Tensor:
    """Return noise as strong as the fine detail of the ring, one pattern for all channels."""
    pixels = image.cpu().numpy()
    detail = pixels - gaussian_filter(pixels, (0, GRAIN, GRAIN))
    at = ring.cpu().numpy()
    spread = _spread(detail[:, at]) if at.any() else np.zeros(len(pixels))
    noise = np.random.default_rng(seed).standard_normal(pixels.shape[1:])
    # a little blur gives the noise the grain size of a reconstructed image instead of pixel salt
    noise = gaussian_filter(noise, GRAIN / 2)
    noise = noise / max(float(noise.std()), 1e-6)
    scaled = spread[:, None, None] * noise
    return torch.from_numpy(scaled.astype(np.float32)).to(image.device)


def _spread(detail: np.ndarray) -> np.ndarray:
    """Return the standard deviation per row of (c, n), blind to the edges that cross the ring."""
    middle = np.median(detail, axis=1, keepdims=True)
    return 1.4826 * np.median(np.abs(detail - middle), axis=1)
