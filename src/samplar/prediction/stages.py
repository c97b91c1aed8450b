"""One case in three stages: read and prepare, compute, restore and write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from samplar.errors import CaseMemoryError, InputError, is_out_of_memory
from samplar.io.atomic import make_folder
from samplar.io.case import Case
from samplar.io.dataset import Dataset, read_case
from samplar.io.formats import label_name, read_image, write_labels, write_probabilities
from samplar.io.slicing import Plane
from samplar.io.volume import Volume
from samplar.methods.adapted import AdaptedSam
from samplar.prediction.adapter import AdapterCard
from samplar.prediction.cleanup import keep_largest
from samplar.prediction.doubt import Doubt
from samplar.prediction.records import Records, digests_of
from samplar.prediction.temperatures import Temperatures
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
    """A case as the model will see it: slices (n, c, h, w) float32 in [0, 1].

    `inputs` are the digests of its files.
    """

    case: Case
    inputs: tuple[str, ...]
    image: Volume
    slices: np.ndarray
    truth: np.ndarray | None


@dataclass(frozen=True)
class Segmented:
    """Class indices (x, y, z) uint8, the sums of their probabilities, and, if asked for,
    the probabilities, (k+1, x, y, z) float16.
    """

    case: Case
    inputs: tuple[str, ...]
    image: Volume
    labels: np.ndarray
    doubt: Doubt
    probabilities: np.ndarray | None


@dataclass(frozen=True)
class Written:
    """The label file of a case, what is to be said about it, and whether it was there before."""

    path: Path
    notes: tuple[str, ...]
    kept: bool = False


@dataclass(frozen=True)
class Stages:
    """What all cases of a prediction share.

    Args:
        model: the adapted SAM.
        card: its card.
        out: an existing folder.
        options: what to do besides the labels.
        truth: asked only for oracle methods.
        records: of the output folder.
    """

    model: AdaptedSam
    card: AdapterCard
    out: Path
    options: Options
    truth: Truth
    records: Records

    def read(self, case: Case) -> Shown | Written:
        """Read a case and cut it into slices, unless it is finished already.

        Raises:
            InputError: what the readers refuse; `predict.sequences` and `predict.altered`.
            CaseMemoryError: `predict.memory`; so do the other stages.
        """
        _check_sequences(case, self.card)
        with memory_for(case):
            inputs = digests_of(self._files(case))
            kept = self.records.kept(case.id, inputs)
            if kept is not None:
                return Written(self.out / next(iter(kept.outputs)), kept.notes, kept=True)
            truth = self.truth(case) if self.model.oracle else None
            image = read_image(case.images)
            return Shown(case, inputs, image, self.card.view.slices(image), truth)

    def compute(self, shown: Shown | Written) -> Segmented | Written:
        """Run the model over the slices.

        Raises:
            UsageError: `methods.oracle`.
        """
        if isinstance(shown, Written):
            return shown
        doubt = Doubt(Temperatures.of(self.card.calibration))
        with memory_for(shown.case, shown.image):
            labels, probabilities = predict_volume(
                self.model,
                self.card,
                shown.image,
                options=self.options,
                truth=shown.truth,
                slices=shown.slices,
                doubt=doubt,
            )
        return Segmented(shown.case, shown.inputs, shown.image, labels, doubt, probabilities)

    def write(self, made: Segmented | Written) -> Written:
        """Write label map, probabilities if any, how far to trust them, and the case's record.

        Raises:
            OutputError: see `samplar.io.atomic.write_with`.
        """
        if isinstance(made, Written):
            return made
        with memory_for(made.case, made.image):
            return self._write(made)

    def _files(self, case: Case) -> list[Path]:
        """Return the files that decide the prediction of a case."""
        known = [case.label] if self.model.oracle and case.label is not None else []
        return [*case.images, *known]

    def _write(self, made: Segmented) -> Written:
        card, image, labels = self.card, made.image, made.labels
        notes = list(image.notes)
        if self.options.largest:
            labels, removed = keep_largest(labels, len(card.labels))
            notes += [
                f"removed {n} voxels of {card.class_names[k - 1]}" for k, n in removed.items()
            ]
        values = card.labels.to_values(labels)
        name = label_name(image, made.case.id, top=max(card.class_values))
        said = tuple(f"{made.case.id}: {note}" for note in notes)
        self.records.begin(made.case.id)
        paths = [write_labels(self.out / name, values, image)]
        if made.probabilities is not None:
            place = self.out / PROBABILITIES / paths[0].name
            make_folder(place.parent)
            paths.append(write_probabilities(place, made.probabilities, image))
        paths.append(write_trust(self.out, case_trust(made.case.id, name, made.doubt, card)))
        self.records.finish(made.case.id, inputs=made.inputs, outputs=paths, notes=said)
        return Written(paths[0], said)


@contextmanager
def memory_for(case: Case, image: Volume | None = None) -> Iterator[None]:
    """Name the case that there was not the memory for.

    Raises:
        CaseMemoryError: `predict.memory`.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        size = "" if image is None else f" ({' x '.join(map(str, image.shape))} voxels)"
        raise CaseMemoryError(
            f"memory ran out on {case.id}{size}",
            fix="Close other programs, use fewer --workers, leave --probabilities out, or crop "
            "the image",
            code="predict.memory",
            path=case.images[0],
        ) from error


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
