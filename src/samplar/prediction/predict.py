"""From image files to label files on the same grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Integer

from samplar.config.training import Precision
from samplar.errors import InputError, SamplarError
from samplar.io.atomic import ensure_writable
from samplar.io.case import Case
from samplar.io.formats import label_name, read_image, write_labels, write_probabilities
from samplar.io.slicing import slicing_of
from samplar.io.volume import Volume
from samplar.methods.adapted import AdaptedSam
from samplar.prediction.adapter import AdapterCard
from samplar.prediction.cleanup import keep_largest
from samplar.prediction.slices import predict_slices
from samplar.prediction.views import further_frames

PROBABILITIES = "probabilities"
"""Folder beside the labels: a probability map has the name of the label map it belongs to."""


@dataclass(frozen=True)
class Options:
    """What to do besides the labels.

    Args:
        probabilities: also write softmax probabilities, (k + 1, x, y, z) float16.
        largest: keep only the largest connected part of each class.
        strict: stop at the first case that fails.
        precision: fp32, bf16, or auto for the one the adapter was made in.
        tta: test-time augmentation, seeing each slice in a smaller frame too; None: as the method
            does.
    """

    precision: Precision = "auto"
    probabilities: bool = False
    largest: bool = False
    strict: bool = False
    tta: bool | None = None


@dataclass
class Outcome:
    """Which cases are done, in order, and which failed and why."""

    done: list[Path] = field(default_factory=list)
    failed: list[tuple[str, SamplarError]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def predict_cases(
    model: AdaptedSam,
    card: AdapterCard,
    cases: Sequence[Case],
    out: Path,
    *,
    options: Options,
    truth: Callable[[Case], np.ndarray | None] | None = None,
    on_case: Callable[[int, str], None],
) -> Outcome:
    """Predict every case and write its labels; one bad case does not stop the others.

    Args:
        model: the adapted SAM.
        card: its card.
        cases: what to predict.
        out: an existing folder.
        options: what else to do.
        truth: class indices (x, y, z) of a case, for oracle methods.
        on_case: told how many cases are done, and the name of the one that comes next.

    Raises:
        SamplarError: with `options.strict`, the first failure.
    """
    outcome = Outcome()
    for number, case in enumerate(cases):
        on_case(number, case.id)
        try:
            known = None if truth is None else truth(case)
            path, notes = _predict_case(model, card, case, out, options=options, truth=known)
        except InputError as error:
            if options.strict:
                raise
            outcome.failed.append((case.id, error))
            continue
        outcome.done.append(path)
        outcome.notes.extend(f"{case.id}: {note}" for note in notes)
    on_case(len(cases), "")
    return outcome


def _predict_case(
    model: AdaptedSam,
    card: AdapterCard,
    case: Case,
    out: Path,
    *,
    options: Options,
    truth: np.ndarray | None,
) -> tuple[Path, list[str]]:
    _check_sequences(case, card)
    image = read_image(case.images)
    labels, probabilities = predict_volume(model, card, image, options=options, truth=truth)
    notes = list(image.notes)
    if options.largest:
        labels, removed = keep_largest(labels, len(card.labels))
        notes += [f"removed {n} voxels of {card.class_names[k - 1]}" for k, n in removed.items()]
    values = card.labels.to_values(labels)
    name = label_name(image, case.id, top=max(card.class_values))
    path = write_labels(out / name, values, image)
    if probabilities is not None:
        ensure_writable(out / PROBABILITIES)
        write_probabilities(out / PROBABILITIES / path.name, probabilities, image)
    return path, notes


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


def predict_volume(
    model: AdaptedSam,
    card: AdapterCard,
    image: Volume,
    *,
    options: Options,
    truth: np.ndarray | None = None,
) -> tuple[Integer[np.ndarray, "x y z"], Float[np.ndarray, "k x y z"] | None]:
    """Return class indices (uint8) on the image's own grid, and probabilities if asked for."""
    slicing = slicing_of(image, card.plane)
    slices = card.view.slices(image)
    known = None if truth is None else slicing.cut(truth)
    labels = np.empty((len(slices), *slices.shape[-2:]), dtype=np.uint8)
    shares: list[np.ndarray] = []
    start = 0
    also = further_frames(model, card.size, tta=options.tta)
    for logits in predict_slices(
        model, slices, size=card.size, precision=options.precision, also=also, truth=known
    ):
        labels[start : start + len(logits)] = logits.argmax(dim=1).cpu().numpy()
        if options.probabilities:
            shares.append(logits.softmax(dim=1).cpu().numpy().astype(np.float16))
        start += len(logits)
    whole = slicing.stack(np.concatenate(shares)) if shares else None
    return np.ascontiguousarray(slicing.stack(labels)), whole
