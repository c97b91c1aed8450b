"""Shapes, spacings and orientations over a data set, and the cases that stand out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from samplar.config.base import Strict
from samplar.io.checks.facts import CaseFacts, ImageFacts
from samplar.io.checks.finding import Finding, note, warning
from samplar.io.slicing import Plane
from samplar.io.wording import few

OUTLIER_FACTOR = 3.0
"""A voxel size or an extent this many times the median, or this small a part of it, stands out."""

_DIRECTIONS: dict[Plane, str] = {"axial": "SI", "coronal": "AP", "sagittal": "RL"}


class GeometryReport(Strict):
    """How many images have which grid; keys are written like `128 x 128 x 64`."""

    shapes: dict[str, int]
    spacings: dict[str, int]
    orientations: dict[str, int]
    units: dict[str, int]
    plane: Plane


def slicing_axis(image: ImageFacts, plane: Plane) -> int:
    """Return the voxel axis that slices are numbered along, as `slicing_of` does."""
    through = _DIRECTIONS["axial" if image.is_raster else plane]
    return next(i for i, code in enumerate(image.affine.orientation) if code in through)


def geometry_report(images: Sequence[ImageFacts], plane: Plane) -> GeometryReport:
    """Count the grids."""
    return GeometryReport(
        shapes=_count(_times(image.shape) for image in images),
        spacings=_count(_times(image.affine.spacing) + f" {image.unit}" for image in images),
        orientations=_count("".join(image.affine.orientation) for image in images),
        units=_count(image.unit for image in images),
        plane=plane,
    )


def geometry_findings(cases: Sequence[CaseFacts]) -> list[Finding]:
    """Report unknown spacing, mixed grids and outliers."""
    known = [(facts, facts.image) for facts in cases if facts.image is not None]
    images = [image for _, image in known]
    findings = _unknown_spacing(images) + _mixtures(images)
    sized = [(facts, image.affine.spacing) for facts, image in known if image.unit == "mm"]
    findings += _outliers(sized, what="voxel size", code="geometry.spacing_outlier")
    volumes = [(facts, image.shape) for facts, image in known if not image.is_raster]
    return findings + _outliers(volumes, what="number of voxels", code="geometry.shape_outlier")


def _unknown_spacing(images: Sequence[ImageFacts]) -> list[Finding]:
    volumes = [image for image in images if not image.is_raster]
    unknown = [image for image in volumes if image.unit == "px"]
    findings: list[Finding] = []
    if unknown:
        problem = f"{len(unknown)} of {len(volumes)} volumes do not say their voxel size"
        fix = "Write it into the headers; until then distances are in pixels"
        findings.append(warning("geometry.spacing_unknown", problem, fix=fix))
    if len(volumes) < len(images):
        problem = f"{len(images) - len(volumes)} plain images have no pixel size"
        fix = "Distances are in pixels"
        findings.append(note("geometry.no_spacing", problem, fix=fix))
    return findings


def _mixtures(images: Sequence[ImageFacts]) -> list[Finding]:
    shapes = _count(_times(image.shape) for image in images)
    turns = _count("".join(image.affine.orientation) for image in images)
    findings: list[Finding] = []
    if len(shapes) > 1:
        problem = f"{len(shapes)} different shapes, most often {_most(shapes)}"
        fix = "Nothing to do: every slice is fitted into a square"
        findings.append(note("geometry.shapes", problem, fix=fix))
    if len(turns) > 1:
        problem = f"{len(turns)} different orientations: {_most(turns)}"
        fix = "Nothing to do: slices are turned to one, results are turned back"
        findings.append(note("geometry.orientations", problem, fix=fix))
    return findings


def _outliers(
    measured: Sequence[tuple[CaseFacts, Sequence[float]]], *, what: str, code: str
) -> list[Finding]:
    """Compare the axes of each case, sorted by size, with the median case."""
    if len(measured) < 3:
        return []
    sizes = np.array([sorted(values) for _, values in measured], dtype=float)
    ratio = sizes / np.median(sizes, axis=0)
    worst = np.maximum(ratio, 1 / ratio).max(axis=1)
    far = [i for i, factor in enumerate(worst) if factor > OUTLIER_FACTOR]
    if not far:
        return []
    listing = few([f"{measured[i][0].case.id} ({_times(measured[i][1])})" for i in far])
    median = _times(np.median(sizes, axis=0).tolist())
    problem = f"{len(far)} cases have an unusual {what} (the median is {median}): {listing}"
    return [warning(code, problem, fix="Check the headers of these files")]


def _count(keys: Iterable[str]) -> dict[str, int]:
    return dict(Counter(keys).most_common())


def _most(counts: dict[str, int]) -> str:
    return few([f"{key} ({count})" for key, count in counts.items()], limit=3)


def _times(numbers: Sequence[float]) -> str:
    return " x ".join(f"{round(number, 3):g}" for number in numbers)
