"""From a data set to candidates, and from the chosen ones to exemplars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from samplar.errors import InputError
from samplar.exemplars.choose import Candidate
from samplar.exemplars.exemplar import Exemplar, ExemplarSet
from samplar.io.areas import areas_per_slice
from samplar.io.case import Case
from samplar.io.channels import SAM_CHANNELS, to_three
from samplar.io.dataset import Dataset, read_case
from samplar.io.intensity import IntensityRule
from samplar.io.slicing import Plane, neighbours, slicing_of
from samplar.io.volume import Volume
from samplar.types import IGNORE


def list_candidates(dataset: Dataset, *, plane: Plane) -> list[Candidate]:
    """Read every labelled case and count the classes in each labelled slice.

    Raises:
        InputError: what `read_case` raises.
    """
    return [found for case in dataset.labelled for found in _candidates(case, dataset, plane)]


def collect_exemplars(
    dataset: Dataset,
    picks: Sequence[tuple[str, int]],
    *,
    plane: Plane,
    rule: IntensityRule,
    channels: tuple[int, ...] | None = None,
    around: int = 0,
) -> ExemplarSet:
    """Read the chosen slices, scaled and with three channels, in the order given.

    Args:
        dataset: where they are from.
        picks: (case id, slice number in file order).
        plane: the slicing plane.
        rule: how grey values become [0, 1]; applied to the whole volume, as at prediction.
        channels: which image channels to use, see `to_three`.
        around: how many neighbours on each side to read as well.

    Raises:
        InputError: `exemplars.unknown` for a case without label or that is not there,
            `exemplars.slice` for a slice number that does not exist or was not labelled; what
            `read_case` and `to_three` raise.
    """
    cases = {case.id: case for case in dataset.labelled}
    unknown = sorted({id_ for id_, _ in picks} - set(cases))
    if unknown:
        raise InputError(
            f"no labelled case called {', '.join(unknown)}",
            fix="Choose the exemplars again, or correct the list",
            code="exemplars.unknown",
            path=dataset.root,
        )
    made: dict[tuple[str, int], Exemplar] = {}
    for id_ in dict.fromkeys(id_ for id_, _ in picks):
        numbers = [number for case_id, number in picks if case_id == id_]
        image, labels = _slices(cases[id_], dataset, plane, rule=rule, channels=channels)
        for number in numbers:
            _check_labelled(cases[id_], number, labels)
            made[id_, number] = Exemplar.of(
                case=id_,
                subject=cases[id_].subject,
                number=number,
                image=np.ascontiguousarray(to_three(image[number])),
                labels=np.ascontiguousarray(labels[number]),
                beside=_beside(image, number, around) if around else None,
            )
    return ExemplarSet.of([made[pick] for pick in dict.fromkeys(picks)], dataset.labels)


def _candidates(case: Case, dataset: Dataset, plane: Plane) -> Iterator[Candidate]:
    image, labels = _read(case, dataset, plane)
    areas = areas_per_slice(labels, slicing_of(image, plane).axis, len(dataset.labels))
    for number, row in enumerate(areas):
        if row.any():  # a slice that nobody labelled has no pixel of any class, nor of background
            yield Candidate(case.id, case.subject, number, tuple(int(n) for n in row[1:]))


def _read(case: Case, dataset: Dataset, plane: Plane) -> tuple[Volume, np.ndarray]:
    """Read a case; one without label is wholly unlabelled."""
    image, labels = read_case(case, dataset, plane=plane)
    return image, np.full(image.shape, IGNORE, dtype=np.uint8) if labels is None else labels


def _slices(
    case: Case,
    dataset: Dataset,
    plane: Plane,
    *,
    rule: IntensityRule,
    channels: tuple[int, ...] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return all slices of a case: (n, c, h, w) float32 in [0, 1], c <= 3; (n, h, w) uint8."""
    image, labels = _read(case, dataset, plane)
    slicing = slicing_of(image, plane)
    scaled = rule.apply(image.array)
    if channels is not None or len(scaled) > SAM_CHANNELS:
        scaled = to_three(scaled, channels)
    return slicing.cut(scaled), slicing.cut(labels)


def _beside(image: np.ndarray, number: int, around: int) -> np.ndarray:
    near = neighbours(number, len(image), around=around)
    del near[around]
    return np.stack([to_three(image[n]) for n in near])


def _check_labelled(case: Case, number: int, labels: np.ndarray) -> None:
    if not 0 <= number < len(labels):
        problem = f"slice {number} of {case.id} does not exist, it has {len(labels)}"
    elif (labels[number] == IGNORE).all():
        problem = f"slice {number} of {case.id} is not labelled"
    else:
        return
    fix = "Choose another slice; they are counted from 0 in file order"
    raise InputError(problem, fix=fix, code="exemplars.slice", path=case.label)
