"""The rendering of a draw as plainly as it can be said: one image, whole planes, float64, SciPy.

The fast path in `samplar.synthesis` has to come to the same. What it shares with this one: the
forward map of an affine, the painted-out backgrounds, and the numbers that seeds stand for.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.interpolate import BSpline
from scipy.ndimage import gaussian_filter, map_coordinates
from torch.nn.functional import interpolate

from samplar.synthesis.appearance import AIR
from samplar.synthesis.background import paint_out
from samplar.synthesis.draw import Draw, Elastic, Look, Move, Tone, Warp
from samplar.synthesis.resample import OUTSIDE
from samplar.synthesis.samples import Samples
from samplar.synthesis.shape import plane_map


def rendered(exemplars: Samples, draw: Draw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the (3, s, s) image, (s, s) labels and (s, s) validity of one draw."""
    source, scene = exemplar(exemplars, draw.exemplar), exemplar(exemplars, draw.scene)
    grid = np.mgrid[: exemplars.side, : exemplars.side].astype(float)
    at = traced(draw.warp, grid)
    behind = painted(scene, draw.scene) if draw.background in {"own", "cross_clean"} else scene
    codes = read_codes(behind, at)
    image = read_image(behind[0], mirrored(at) if draw.border == "reflect" else at)
    for move in draw.moves:
        image, codes = pasted(image, codes, source, traced(move.warp, at), move=move, draw=draw)
    valid = codes < OUTSIDE
    inside = scene[0][:, scene[2]]
    image = looked(image, draw.look, valid, inside.mean() if inside.size else 0.0)
    return image, codes % OUTSIDE, valid


def exemplar(exemplars, n):
    parts = exemplars.images[n], exemplars.labels[n], exemplars.valid[n]
    return tuple(part.numpy() for part in parts)


def painted(scene, seed):
    image, labels = paint_out(*map(torch.from_numpy, scene), seed=seed)
    return image.numpy(), labels.numpy(), scene[2]


def traced(warp: Warp, at: np.ndarray) -> np.ndarray:
    """Take places back through an affine, then add the field of the place started from."""
    back = plane_map(warp.affine).inverse()
    moved = np.stack(back.point(*at))
    return moved if warp.elastic is None else moved + field(warp.elastic, at.shape[1])


def field(elastic: Elastic, side: int) -> np.ndarray:
    points = elastic.cells + 3
    seeded = torch.Generator().manual_seed(elastic.seed)
    control = (torch.rand(2, points, points, generator=seeded).double().numpy() * 2 - 1) * (
        elastic.amplitude
    )
    knots = np.arange(-3, elastic.cells + 4, dtype=float)
    basis = BSpline.design_matrix(np.linspace(0, elastic.cells, side), knots, 3).toarray()
    return np.einsum("ri,aij,cj->arc", basis, control, basis)


def mirrored(at):
    last = at.shape[1] - 1
    return last - np.abs(at % (2 * last) - last)


def read_image(image, at):
    return np.stack([map_coordinates(c.astype(float), at, order=1, mode="grid-constant")
                     for c in image])  # fmt: skip


def read_codes(scene, at):
    """Return the code whose own mask, read between pixels, is largest."""
    codes = scene[1].astype(int) + np.where(scene[2], 0, OUTSIDE)
    present = sorted({*np.unique(codes).tolist(), OUTSIDE})
    shares = [
        map_coordinates(
            (codes == code).astype(float), at, order=1, mode="grid-constant",
            cval=float(code == OUTSIDE),
        )
        for code in present
    ]  # fmt: skip
    return np.array(present)[np.argmax(shares, axis=0)]


def pasted(image, codes, source, at, *, move: Move, draw: Draw):
    cut, free = read_codes(source, at), codes < OUTSIDE
    mask = np.isin(cut, move.classes)
    area = (np.isin(source[1], move.classes) & source[2]).sum()
    if (mask & free).sum() < max(1, draw.smallest_visible * area):
        return image, codes
    share = blurred(mask[None].astype(float), draw.mask_blur)[0] * free
    organ = toned(read_image(source[0], at), move.tone)
    return share * organ + (1 - share) * image, np.where(mask & free, cut, codes)


def blurred(image, sigma):
    reach = max(1, math.ceil(3 * sigma))
    return image if sigma == 0 else gaussian_filter(
        image, (0, sigma, sigma), mode="nearest", radius=(0, reach, reach)
    )  # fmt: skip


def toned(image, tone: Tone):
    if tone == Tone():
        return image
    return np.clip(image**tone.gamma * tone.gain + tone.offset, 0, 1)


def looked(image, look: Look, valid, mean):
    if look == Look():
        return image
    new = (1 - image if look.inverted else image) ** look.gamma
    lift = mean * (1 - look.contrast) * look.gain + look.offset
    new = new * look.contrast * look.gain + lift * np.clip(new / AIR, None, 1)
    new = coarsened(blurred(new * shading(look.bias, new.shape[-1]), look.blur), look)
    if look.noise:
        seeded = torch.Generator().manual_seed(look.noise_seed)
        channels = len(new) if (new != new[:1]).any() else 1  # one grain for a grey image
        new = new + torch.randn(channels, *valid.shape, generator=seeded).numpy() * look.noise
    return np.where(valid, np.clip(new, 0, 1), image)


def shading(coefficients, side):
    at, power = np.linspace(-1, 1, side), np.zeros((side, side))
    terms = [(i, n - i) for n in (1, 2, 3) for i in range(n + 1)]
    for coefficient, (down, across) in zip(coefficients, terms, strict=False):
        rows, columns = (np.polynomial.Legendre.basis(d)(at) for d in (down, across))
        power += coefficient * np.outer(rows, columns)
    return np.exp(power)


def coarsened(image, look: Look):
    if look.low_resolution == 1:
        return image
    side = image.shape[-1]
    size = max(1, round(side / look.low_resolution))
    small = interpolate(torch.from_numpy(image)[None], size=size, mode="area")
    return interpolate(small, size=side, mode="bilinear", align_corners=False)[0].numpy()
