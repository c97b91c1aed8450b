"""Score label files against the truth of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from samplar.api.trust import TrustCheck
from samplar.errors import InputError
from samplar.evaluation.protocols import score_case
from samplar.evaluation.regions import Regions, score_regions
from samplar.evaluation.result import Evaluation
from samplar.evaluation.scores import CaseScores, Protocol
from samplar.evaluation.summary import summarise
from samplar.io.admission import check_grid
from samplar.io.dataset import Case, Dataset, class_indices, read_case
from samplar.io.formats import read_labels
from samplar.io.names import stem_of
from samplar.io.slicing import Plane
from samplar.io.volume import Volume


@dataclass(frozen=True)
class Scored:
    """A case with everything needed to score or draw it.

    Args:
        case: of the data set.
        image: as read.
        truth: class indices (x, y, z), 255 where not labelled.
        prediction: class indices on the same grid.
    """

    case: Case
    image: Volume
    truth: np.ndarray
    prediction: np.ndarray


def evaluate(
    predictions: Path,
    dataset: Dataset,
    *,
    protocol: Protocol = "strict",
    tolerance: float = 2.0,
    plane: Plane | None = None,
    regions: Regions | None = None,
    on_case: Callable[[int, str], None],
) -> Evaluation:
    """Score every labelled case of the data set that has a prediction.

    Args:
        predictions: a folder of label files named after the cases.
        dataset: gives truth, classes and subjects.
        protocol: `strict` or `samed`.
        tolerance: of NSD, in the unit of the images (mm, or pixels).
        plane: the slicing plane along which partly labelled volumes count their slices.
        regions: unions of classes to score in their place; they may overlap.
        on_case: told how many cases are scored, and which comes next.

    Raises:
        InputError: `evaluation.none` when no case has a prediction; what the readers refuse.
    """
    rows, check = [], TrustCheck(predictions, len(dataset.labels))
    for number, scored in enumerate(scored_cases(predictions, dataset, plane=plane)):
        on_case(number, scored.case.id)
        score = (
            partial(score_case, classes=len(dataset.labels))
            if regions is None
            else partial(score_regions, regions=regions)
        )
        scores = score(
            scored.prediction,
            scored.truth,
            spacing=scored.image.spacing,
            unit=scored.image.unit,
            tolerance=tolerance,
            protocol=protocol,
        )
        rows.append(CaseScores(scored.case.id, scored.case.subject, tuple(scores)))
        if regions is None:
            check.add(scored)
    names = dataset.labels.names if regions is None else tuple(regions)
    result = summarise(rows, names=names, protocol=protocol, tolerance=tolerance)
    return result.model_copy(update={"trust": check.result(result.per_case)})


def scored_cases(
    predictions: Path, dataset: Dataset, *, plane: Plane | None = None
) -> Iterator[Scored]:
    """Yield the labelled cases that have a prediction, with both label maps, one at a time.

    Raises:
        InputError: `evaluation.none`, `io.grid`, `labels.undeclared`.
    """
    files = _files(predictions)
    cases = [case for case in dataset.labelled if case.id in files]
    if not cases:
        raise InputError(
            f"none of the {len(dataset.labelled)} labelled cases of {dataset.name} has a file here "
            f"({len(files)} label files found)",
            fix="Give the output folder of `samplar predict`; files are named after the cases",
            code="evaluation.none",
            path=predictions,
        )
    for case in cases:
        image, truth = read_case(case, dataset, plane=plane)
        stored = read_labels(files[case.id])
        check_grid(image, stored)
        prediction = class_indices(stored.array, case, dataset.labels)
        if truth is not None:
            yield Scored(case, image, truth, prediction)


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(
            "there is no such folder",
            fix="Give the output folder of `samplar predict`",
            code="evaluation.folder",
            path=folder,
        )
    return {stem_of(path): path for path in sorted(folder.iterdir()) if path.is_file()}
