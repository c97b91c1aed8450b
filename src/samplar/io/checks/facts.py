"""What a check finds out about one case: measured once, while its files are in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from samplar.errors import SamplarError
from samplar.io.admission import check_grid
from samplar.io.affine import Affine
from samplar.io.areas import areas_per_slice
from samplar.io.case import Case
from samplar.io.formats import read_image, read_labels
from samplar.io.intensity import IntensityRule, is_raised_ct, rule_for
from samplar.io.labels import MAX_CLASSES, count_values
from samplar.io.volume import LabelVolume, Volume

_SAMPLED_VOXELS = 1 << 20
PERCENTILES = (1, 50, 99)


@dataclass(frozen=True, eq=False)
class ImageFacts:
    """What an image is like.

    Args:
        shape: voxels along x, y, z.
        affine: its geometry.
        unit: whether the geometry can be trusted, see `Volume`.
        is_raster: whether it is a plain image.
        channels: how many it has.
        needs_choice: whether the channels to use must be named, because SAM takes three.
        dtype: the file's own.
        grey: minimum, percentiles 1, 50, 99, maximum (percentiles of at most a million voxels).
        rule: the intensity rule that suits it by itself.
        raised: whether it looks like Hounsfield units with 1024 added.
        digest: SHA-256 of the voxels.
    """

    shape: tuple[int, int, int]
    affine: Affine
    unit: str
    is_raster: bool
    channels: int
    needs_choice: bool
    dtype: str
    grey: tuple[float, ...]
    rule: IntensityRule
    raised: bool
    digest: str


@dataclass(frozen=True, eq=False)
class LabelFacts:
    """What a label map holds.

    Args:
        counts: voxels of each file value.
        areas: for each of the three axes (n, v), pixels of the v values in each slice; None if
            there are too many values to be classes.
    """

    counts: dict[int, int]
    areas: tuple[np.ndarray, ...] | None


@dataclass
class CaseFacts:
    """Everything measured on one case; what could not be read is None and has a problem."""

    case: Case
    image: ImageFacts | None = None
    label: LabelFacts | None = None
    notes: list[str] = field(default_factory=list)
    problems: list[SamplarError] = field(default_factory=list)


def measure_case(case: Case) -> CaseFacts:
    """Read the files of a case once and measure them; no error leaves this function."""
    facts = CaseFacts(case)
    image: Volume | None = None
    with _collected(facts):
        image = read_image(case.images)
        facts.notes += image.notes
        facts.image = _image_facts(image)
    if case.label is not None:
        with _collected(facts):
            label = read_labels(case.label)
            facts.notes += label.notes
            facts.label = _label_facts(label)
            if image is not None:
                check_grid(image, label)
    return facts


@contextmanager
def _collected(facts: CaseFacts) -> Iterator[None]:
    try:
        yield
    except SamplarError as problem:
        facts.problems.append(problem)


def _image_facts(image: Volume) -> ImageFacts:
    array = image.array
    sample = array.reshape(-1)[:: max(1, array.size // _SAMPLED_VOXELS)]
    percentiles = np.percentile(sample, PERCENTILES).tolist()
    alpha = len(array) == 4 and bool(array[-1].min() == array[-1].max())
    return ImageFacts(
        shape=image.shape,
        affine=image.affine,
        unit=image.unit,
        is_raster=image.is_raster,
        channels=len(array),
        needs_choice=len(array) > 3 and not alpha,
        dtype=str(array.dtype),
        grey=(float(array.min()), *percentiles, float(array.max())),
        rule=rule_for(image),
        raised=is_raised_ct(sample),
        digest=hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest(),
    )


def _label_facts(label: LabelVolume) -> LabelFacts:
    counts = count_values(label.array)
    if len(counts) > MAX_CLASSES + 1:
        return LabelFacts(counts, None)
    table = np.zeros(max(counts) + 1, dtype=np.uint8)
    table[list(counts)] = range(len(counts))
    compact = table[label.array]
    areas = tuple(areas_per_slice(compact, axis, len(counts) - 1) for axis in range(3))
    return LabelFacts(counts, areas)
