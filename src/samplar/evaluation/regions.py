"""Regions that overlap, scored each on its own: whole tumour, tumour core, enhancing tumour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Integer

from samplar.errors import InputError
from samplar.evaluation.protocols import score_case
from samplar.evaluation.scores import ClassScore, Protocol
from samplar.io.documents import read_json
from samplar.io.labels import LabelSet
from samplar.io.wording import few
from samplar.types import IGNORE

Regions = Mapping[str, tuple[int, ...]]
"""The class indices that make up each region, by its name."""


def read_regions(path: Path, labels: LabelSet) -> dict[str, tuple[int, ...]]:
    """Read `{"whole tumour": [1, 2, 4], ...}`, the values being those of the label files.

    Raises:
        InputError: `regions.shape`; `regions.unknown` for a value that is no class of the data set;
            `document.*`.
    """
    document = read_json(path)
    if not isinstance(document, dict) or not document:
        raise _misshapen(path, "this is not a list of regions")
    return {str(name): _indices(name, entry, labels, path) for name, entry in document.items()}


def _indices(name: str, entry: Any, labels: LabelSet, path: Path) -> tuple[int, ...]:
    whole = isinstance(entry, list) and all(type(value) is int for value in entry)
    if not whole or not entry:
        raise _misshapen(path, f"{name} is not a list of label values")
    unknown = [value for value in entry if labels.indices.get(value, 0) in {0, IGNORE}]
    if unknown:
        raise InputError(
            f"{name} holds {few(unknown)}, which is no class; classes are {few(labels.values)}",
            fix="Name the values of the label files",
            code="regions.unknown",
            path=path,
        )
    return tuple(sorted({labels.indices[value] for value in entry}))


def _misshapen(path: Path, problem: str) -> InputError:
    fix = 'Write {"whole tumour": [1, 2, 4], "tumour core": [1, 4]}'
    return InputError(problem, fix=fix, code="regions.shape", path=path)


def score_regions(
    prediction: Integer[np.ndarray, "_ _ _"],
    truth: Integer[np.ndarray, "_ _ _"],
    regions: Regions,
    *,
    spacing: Sequence[float],
    unit: Literal["mm", "px"],
    tolerance: float,
    protocol: Protocol,
) -> list[ClassScore]:
    """Score every region of one case as if it were the only class; see `score_case`."""
    scores = []
    for number, members in enumerate(regions.values(), start=1):
        inside = np.isin(truth, members).astype(np.uint8)
        (score,) = score_case(
            np.isin(prediction, members).astype(np.uint8),
            np.where(truth == IGNORE, np.uint8(IGNORE), inside),
            classes=1,
            spacing=spacing,
            unit=unit,
            tolerance=tolerance,
            protocol=protocol,
        )
        scores.append(score.model_copy(update={"index": number}))
    return scores
