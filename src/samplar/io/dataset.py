"""A data set as the rest of the package sees it, whatever its layout on disk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from samplar.errors import InputError, UsageError
from samplar.io.admission import check_grid
from samplar.io.case import Case
from samplar.io.formats import read_image, read_labels
from samplar.io.found_labels import labels_found
from samplar.io.inputs import find_images
from samplar.io.labels import LabelSet
from samplar.io.partial import ignore_unlisted
from samplar.io.slicing import Plane, choose_plane, slicing_of
from samplar.io.splits import Subset, read_split
from samplar.io.survey import refuse_problems, survey
from samplar.io.volume import Volume

__all__ = ["Case", "Dataset", "find_images", "read_case", "read_dataset"]


@dataclass(frozen=True)
class Dataset:
    """Cases with their classes; no image is read yet.

    Args:
        root: its folder.
        name: the folder name, which splits refer to.
        layout: how it lies on disk.
        labels: the classes.
        cases: sorted by id; some may have no label.
        channel_names: as declared, possibly none.
    """

    root: Path
    name: str
    layout: str
    labels: LabelSet
    cases: tuple[Case, ...]
    channel_names: tuple[str, ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        """The different subjects, sorted."""
        return tuple(sorted({case.subject for case in self.cases}))

    @property
    def labelled(self) -> tuple[Case, ...]:
        """The cases that have a label map."""
        return tuple(case for case in self.cases if case.label is not None)


def read_dataset(root: Path, *, split: Path | None = None, subset: Subset | None = None) -> Dataset:
    """Find the cases and classes of a data set in any of the layouts.

    Classes that no file declares are found by reading all label files, whatever the subset, so that
    pool and test number them alike.

    Args:
        root: its folder.
        split: a JSON file of subjects by data set name, see `samplar.io.splits`.
        subset: the side of the split to keep.

    Raises:
        InputError: `dataset.*`, `document.*`, `index.*`, `labels.*`, `labelled_slices.*` or
            `split.*`; never returns a data set without a labelled case.
        UsageError: `split.none` for a subset without a split.
    """
    found = survey(root)
    refuse_problems(found.problems, root)
    files = [case.label for case in found.cases if case.label is not None]
    if not files:
        raise _no_labels(root, len(found.cases))
    labels = found.declared if found.declared is not None else labels_found(files, root)
    dataset = Dataset(root, found.name, found.layout, labels, found.cases, found.channel_names)
    dataset = _side(dataset, split, subset)
    if not dataset.labelled:
        raise _no_labels(root, len(dataset.cases))
    return dataset


def read_case(
    case: Case, dataset: Dataset, *, plane: Plane | None = None
) -> tuple[Volume, np.ndarray | None]:
    """Read an image as it is and its labels as class indices on the same grid.

    Args:
        case: one of the data set.
        dataset: gives the classes.
        plane: the slicing plane that `case.listed` counts along; None: the one the image suggests.

    Returns:
        The image; and class indices (x, y, z) uint8, 255 where not labelled, or None without label.

    Raises:
        InputError: what the readers refuse; `io.grid`, `labels.undeclared`,
            `labelled_slices.range`.
    """
    image = read_image(case.images)
    if case.label is None:
        return image, None
    stored = read_labels(case.label)
    check_grid(image, stored)
    indices = class_indices(stored.array, case, dataset.labels)
    if case.listed is not None:
        axis = slicing_of(image, plane or choose_plane([image.affine])).axis
        indices = ignore_unlisted(indices, case, axis)
    return image, indices


def class_indices(values: np.ndarray, case: Case, labels: LabelSet) -> np.ndarray:
    """Turn the file values of a case into the class indices of its data set (uint8).

    Raises:
        InputError: `labels.undeclared`.
    """
    own = case.own_labels or labels
    indices = own.to_indices(values, path=str(case.label))
    if own is labels:
        return indices
    table = np.arange(256, dtype=np.uint8)
    table[1 : len(own) + 1] = [labels.names.index(name) + 1 for name in own.names]
    return table[indices]


def _side(dataset: Dataset, split: Path | None, subset: Subset | None) -> Dataset:
    if split is None:
        if subset is None:
            return dataset
        raise UsageError(
            f"subset {subset} asked without a split",
            fix="Give the split file as well",
            code="split.none",
        )
    sides = read_split(split, dataset=dataset.name, subjects=dataset.subjects)
    if subset is None:
        return dataset
    wanted = set(sides.subjects(subset))
    return replace(dataset, cases=tuple(c for c in dataset.cases if c.subject in wanted))


def _no_labels(root: Path, images: int) -> InputError:
    return InputError(
        f"0 of {images} images have a label",
        fix="Put the label maps into labels/ (labelsTr/ for nnU-Net) under the names of the images",
        code="dataset.no_labels",
        path=root,
    )
