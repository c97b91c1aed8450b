"""Intensity: of one cut-out (`Tone`) and of the finished image (`Look`).

Each part is skipped when it is the identity, so that an identity draw changes no bit.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from samplar.synthesis.draw import Look, Tone

AIR = 0.1
"""Below this intensity an offset fades out: air and cut-off tissue are black in every scan, and a
grey frame around the patient would be seen in training only."""


TINY = torch.finfo(torch.float32).tiny


def apply_tone(image: Tensor, tone: Tone) -> Tensor:
    """Return gain * image^gamma + offset, cut to [0, 1]. Any shape, values in [0, 1].

    The image is used up.
    """
    if tone == Tone():
        return image
    return _raise(image, tone.gamma).mul_(tone.gain).add_(tone.offset).clamp_(0, 1)


def apply_look(image: Tensor, look: Look, *, inside: Tensor, mean: float) -> Tensor:
    """Change the intensity of one (c, s, s) image.

    Args:
        image: values in [0, 1].
        look: the recorded changes.
        inside: (s, s) float32; pixels where it is 0 keep their value, so padding stays black.
        mean: the intensity that a change of contrast leaves alone.

    Returns:
        The image, cut to [0, 1]; the very same tensor when the look is the identity.
    """
    if look == Look():
        return image
    changed = 1 - image if look.inverted else image.clone()
    _raise(changed, look.gamma)
    _scale(changed, look, mean)
    _shade(changed, look.bias)
    changed = blurred(changed, look.blur)
    changed = _coarsened(changed, look.low_resolution)
    _add_noise(changed, look.noise, look.noise_seed)
    return torch.lerp(image, changed.clamp_(0, 1), inside)


def _raise(image: Tensor, gamma: float) -> Tensor:
    """Raise to a power, in place. By logarithms: `pow` takes three times as long, and so does 0."""
    if gamma == 1:
        return image
    return image.clamp_(min=TINY).log_().mul_(gamma / math.log(2)).exp2_()


def _scale(image: Tensor, look: Look, mean: float) -> None:
    slope = look.contrast * look.gain
    lift = mean * (1 - look.contrast) * look.gain + look.offset
    if slope == 1 and lift == 0:
        return
    # lift * min(image / AIR, 1), whichever sign the lift has
    ramp = (image * (1 / AIR)).clamp_(max=1)
    image.mul_(slope).add_(ramp, alpha=lift)


def _shade(image: Tensor, coefficients: tuple[float, ...]) -> None:
    """Multiply by exp(sum of coefficient x Legendre product), a smooth coil-like shading."""
    if not any(coefficients):
        return
    weights = torch.zeros(4, 4)
    for coefficient, (row, column) in zip(coefficients, DEGREES, strict=False):
        weights[row, column] = coefficient
    legendre = _legendre(image.shape[-1])
    image.mul_((legendre @ weights @ legendre.T).exp_().to(image.device))


DEGREES = tuple((i, n - i) for n in (1, 2, 3) for i in range(n + 1))
"""Down and across, of the nine Legendre products of total degree 1 to 3."""


@lru_cache(maxsize=4)
def _legendre(side: int) -> Tensor:
    """Return the Legendre polynomials of degree 0 to 3 from edge to edge, (side, 4)."""
    at = torch.linspace(-1, 1, side)
    return torch.stack([torch.ones(side), at, (3 * at**2 - 1) / 2, (5 * at**3 - 3 * at) / 2], dim=1)


@lru_cache(maxsize=256)
def _bell(sigma: float) -> tuple[float, ...]:
    """Return the weights of the middle, of one pixel off it, of two, and so on."""
    reach = max(1, math.ceil(3 * sigma))
    bell = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(reach + 1)]
    total = bell[0] + 2 * sum(bell[1:])
    return tuple(weight / total for weight in bell)


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Return a (c, h, w) image after a Gaussian blur; the edge pixels are repeated outwards."""
    if sigma == 0:
        return image
    bell = _bell(sigma)
    wide = pad(image, (len(bell) - 1,) * 4, mode="replicate")
    return _averaged(_averaged(wide, bell, dim=1), bell, dim=2)


def _averaged(image: Tensor, bell: tuple[float, ...], *, dim: int) -> Tensor:
    """Average along one axis, which gets shorter. Sums of shifted planes: half of `conv2d`."""
    reach = len(bell) - 1
    size = image.shape[dim] - 2 * reach
    total = image.narrow(dim, reach, size) * bell[0]
    for step, weight in enumerate(bell[1:], start=1):
        before, after = (image.narrow(dim, reach + way, size) for way in (-step, step))
        total.add_(before + after, alpha=weight)
    return total


def _coarsened(image: Tensor, factor: float) -> Tensor:
    if factor == 1:
        return image
    side = image.shape[-1]
    small = interpolate(image[None], size=max(1, round(side / factor)), mode="area")
    return interpolate(small, size=side, mode="bilinear", align_corners=False)[0]


def _add_noise(image: Tensor, sigma: float, seed: int) -> None:
    if sigma == 0:
        return
    seeded = torch.Generator().manual_seed(seed)
    image.add_(torch.randn(image.shape, generator=seeded).to(image.device), alpha=sigma)
