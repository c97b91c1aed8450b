"""One case of a data set: an image with, perhaps, its labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from samplar.io.labels import LabelSet


@dataclass(frozen=True)
class Case:
    """An image and what is known about it; nothing is read yet.

    Args:
        id: unique in the data set.
        subject: the patient; splits are by subject.
        images: one file for each sequence, in the declared order, or one file with all channels.
        label: the label map, if there is one.
        listed: the only slices that are labelled (numbers along the slicing axis, file order, from
            0); None if every slice is.
        own_labels: how this case's label map numbers its classes, where that differs by case.
    """

    id: str
    subject: str
    images: tuple[Path, ...]
    label: Path | None
    listed: tuple[int, ...] | None = None
    own_labels: LabelSet | None = None
