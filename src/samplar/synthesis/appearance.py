"""Intensity: of one cut-out (`Tone`) and of the finished image (`Look`).

Each part is skipped when it is the identity, so that an identity draw changes no bit.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from samplar.synthesis.draw import Look, Tone

AIR = 0.1
"""Below this intensity an offset fades out: air and cut-off tissue are black in every scan, and a
grey frame around the patient would be seen in training only."""


def apply_tone(image: Tensor, tone: Tone) -> Tensor:
    """Return gain * image^gamma + offset, cut to [0, 1]. Any shape, values in [0, 1]."""
    if tone == Tone():
        return image
    return (_power(image, tone.gamma) * tone.gain + tone.offset).clamp(0, 1)


def apply_look(image: Tensor, look: Look, *, valid: Tensor, mean: float) -> Tensor:
    """Change the intensity of one (c, s, s) image inside `valid` (s, s).

    Args:
        image: values in [0, 1].
        look: the recorded changes.
        valid: pixels outside keep their value, so padding stays black.
        mean: the intensity that a change of contrast leaves alone.

    Returns:
        The image, cut to [0, 1]; the very same tensor when the look is the identity.
    """
    if look == Look():
        return image
    changed = _pointwise(image, look, mean)
    changed = _biased(changed, look.bias)
    changed = blurred(changed, look.blur)
    changed = _coarsened(changed, look.low_resolution)
    changed = _noisy(changed, look.noise, look.noise_seed)
    return torch.where(valid, changed.clamp(0, 1), image)


def _power(image: Tensor, gamma: float) -> Tensor:
    return image if gamma == 1 else image.pow(gamma)


def _pointwise(image: Tensor, look: Look, mean: float) -> Tensor:
    image = 1 - image if look.inverted else image
    image = _power(image, look.gamma)
    slope = look.contrast * look.gain
    lift = mean * (1 - look.contrast) * look.gain + look.offset
    if slope == 1 and lift == 0:
        return image
    return image * slope + lift * (image / AIR).clamp(max=1)


def _biased(image: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """Multiply by exp(sum of coefficient x Legendre product), a smooth coil-like shading."""
    if not any(coefficients):
        return image
    basis = _shading(image.shape[-1])[: len(coefficients)]
    weights = torch.tensor(coefficients, dtype=torch.float32)
    field = (basis * weights[:, None, None]).sum(dim=0).exp()
    return image * field.to(image.device)


@lru_cache(maxsize=4)
def _shading(side: int) -> Tensor:
    """Return the nine Legendre products of degree 1 to 3 over the unit square, (9, side, side)."""
    at = torch.linspace(-1, 1, side)
    legendre = [torch.ones(side), at, (3 * at**2 - 1) / 2, (5 * at**3 - 3 * at) / 2]
    degrees = [(i, n - i) for n in (1, 2, 3) for i in range(n + 1)]
    return torch.stack([torch.outer(legendre[i], legendre[j]) for i, j in degrees])


@lru_cache(maxsize=256)
def _bell(sigma: float) -> Tensor:
    reach = max(1, math.ceil(3 * sigma))
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / sigma) ** 2)
    return (bell / bell.sum()).float()


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Return a (c, h, w) image after a Gaussian blur; the edge pixels are repeated outwards."""
    if sigma == 0:
        return image
    bell = _bell(sigma).to(image.device)
    reach = len(bell) // 2
    wide = pad(image[:, None], (reach,) * 4, mode="replicate")
    return conv2d(conv2d(wide, bell.view(1, 1, -1, 1)), bell.view(1, 1, 1, -1))[:, 0]


def _coarsened(image: Tensor, factor: float) -> Tensor:
    if factor == 1:
        return image
    side = image.shape[-1]
    small = interpolate(image[None], size=max(1, round(side / factor)), mode="area")
    return interpolate(small, size=side, mode="bilinear", align_corners=False)[0]


def _noisy(image: Tensor, sigma: float, seed: int) -> Tensor:
    if sigma == 0:
        return image
    seeded = torch.Generator().manual_seed(seed)
    return image + (torch.randn(image.shape, generator=seeded) * sigma).to(image.device)
