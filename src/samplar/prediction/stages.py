"""One case in three stages: read and prepare, compute, restore and write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from samplar.errors import InputError
from samplar.io.atomic import ensure_writable
from samplar.io.case import Case
from samplar.io.dataset import Dataset, read_case
from samplar.io.formats import label_name, read_image, write_labels, write_probabilities
from samplar.io.slicing import Plane
from samplar.io.volume import Volume
from samplar.methods.adapted import AdaptedSam
from samplar.prediction.adapter import AdapterCard
from samplar.prediction.cleanup import keep_largest
from samplar.prediction.doubt import Doubt
from samplar.prediction.trust import case_trust, write_trust
from samplar.prediction.volume import predict_volume

if TYPE_CHECKING:
    from samplar.prediction.predict import Options

PROBABILITIES = "probabilities"
"""Folder beside the labels: a probability map has the name of the label map it belongs to."""

Truth = Callable[[Case], np.ndarray | None]
"""Gives the class indices (x, y, z) of a case, for oracle methods."""


@dataclass(frozen=True)
class Shown:
    """A case as the model will see it: slices (n, c, h, w) float32 in [0, 1]."""

    case: Case
    image: Volume
    slices: np.ndarray
    truth: np.ndarray | None


@dataclass(frozen=True)
class Segmented:
    """Class indices (x, y, z) uint8, the sums of their probabilities, and, if asked for,
    the probabilities, (k+1, x, y, z) float16.
    """

    case: Case
    image: Volume
    labels: np.ndarray
    doubt: Doubt
    probabilities: np.ndarray | None


@dataclass(frozen=True)
class Written:
    """The label file of a case, and what is to be said about it."""

    path: Path
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Stages:
    """What all cases of a prediction share.

    Args:
        model: the adapted SAM.
        card: its card.
        out: an existing folder.
        options: what to do besides the labels.
        truth: asked only for oracle methods.
    """

    model: AdaptedSam
    card: AdapterCard
    out: Path
    options: Options
    truth: Truth

    def read(self, case: Case) -> Shown:
        """Read a case and cut it into slices.

        Raises:
            InputError: what the readers refuse; `predict.sequences`.
        """
        _check_sequences(case, self.card)
        truth = self.truth(case) if self.model.oracle else None
        image = read_image(case.images)
        return Shown(case, image, self.card.view.slices(image), truth)

    def compute(self, shown: Shown) -> Segmented:
        """Run the model over the slices.

        Raises:
            UsageError: `methods.oracle`.
        """
        doubt = Doubt(self.card.calibration.temperature)
        labels, probabilities = predict_volume(
            self.model,
            self.card,
            shown.image,
            options=self.options,
            truth=shown.truth,
            slices=shown.slices,
            doubt=doubt,
        )
        return Segmented(shown.case, shown.image, labels, doubt, probabilities)

    def write(self, made: Segmented) -> Written:
        """Write how far to trust the labels, then the label map, and probabilities if any.

        Raises:
            OutputError: see `samplar.io.atomic.write_with`.
        """
        card, image, labels = self.card, made.image, made.labels
        notes = list(image.notes)
        if self.options.largest:
            labels, removed = keep_largest(labels, len(card.labels))
            notes += [
                f"removed {n} voxels of {card.class_names[k - 1]}" for k, n in removed.items()
            ]
        values = card.labels.to_values(labels)
        name = label_name(image, made.case.id, top=max(card.class_values))
        write_trust(self.out, case_trust(made.case.id, name, made.doubt, card))
        path = write_labels(self.out / name, values, image)
        if made.probabilities is not None:
            ensure_writable(self.out / PROBABILITIES)
            write_probabilities(self.out / PROBABILITIES / path.name, made.probabilities, image)
        return Written(path, tuple(f"{made.case.id}: {note}" for note in notes))


def truth_in(dataset: Dataset | None, plane: Plane) -> Truth:
    """Return where to ask for the truth of a case: nobody knows it without a data set."""

    def known(case: Case) -> np.ndarray | None:
        return None if dataset is None else read_case(case, dataset, plane=plane)[1]

    return known


def _check_sequences(case: Case, card: AdapterCard) -> None:
    if len(case.images) == card.sequences:
        return
    raise InputError(
        f"{case.id} has {len(case.images)} files, and the adapter was made from images of "
        f"{card.sequences}",
        fix="Give the same sequences as for fit, named CASE_0000, CASE_0001, ...",
        code="predict.sequences",
        path=case.images[0],
    )
