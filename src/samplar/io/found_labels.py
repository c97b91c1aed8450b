"""The classes of a data set that declares none: the values its label files hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from samplar.errors import InputError
from samplar.io.admission import explain_mask_values
from samplar.io.formats import read_labels
from samplar.io.labels import MAX_CLASSES, LabelSet, count_values


def labels_found(label_files: Iterable[Path], root: Path) -> LabelSet:
    """Read every label file and name each value found `class VALUE`.

    Raises:
        InputError: `labels.none`, `labels.mask_0_255`, `labels.too_many`, or what a reader refuses.
    """
    totals: Counter[int] = Counter()
    for path in label_files:
        totals.update(count_values(read_labels(path).array))
    return labels_of(totals, root)


def labels_of(totals: Mapping[int, int], root: Path) -> LabelSet:
    """Name the values found, given how many voxels have each.

    A set of masks with the values 0 and 255 is refused: 255 is as often "not labelled" as it is a
    class, and only the user knows.

    Raises:
        InputError: `labels.none`, `labels.mask_0_255`, `labels.too_many`.
    """
    values = sorted(value for value in totals if value != 0)
    if not values:
        raise InputError(
            f"the label files hold no foreground, {sum(totals.values())} voxels are all 0",
            fix="Label at least one slice",
            code="labels.none",
            path=root,
        )
    if values == [255] or len(values) > MAX_CLASSES:
        shown = ", ".join(map(str, values[:8])) + (", ..." if len(values) > 8 else "")
        raise InputError(
            f"the label files hold {len(values)} values besides 0 ({shown}) and declare no names",
            fix=explain_mask_values(values, [totals[value] for value in values]),
            code="labels.mask_0_255" if values == [255] else "labels.too_many",
            path=root,
        )
    return LabelSet(tuple(f"class {value}" for value in values), tuple(values))
