"""nnU-Net raw: dataset.json, `imagesTr/CASE_0000.ext`, `labelsTr/CASE.ext`.

The format is described in nnU-Net's own documentation (dataset_format.md); the older dataset.json
of its first version (`modality`, value to name) is read as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from samplar.io.case import Case
from samplar.io.layouts.listing import (
    Listing,
    by_stem,
    files_in,
    join_sequences,
    orphan_labels,
    sequence_of,
)
from samplar.io.names import suffix_of

_COLOUR_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}


def recognise(root: Path) -> bool:
    """Tell whether a folder is laid out this way."""
    return (root / "imagesTr").is_dir()


def list_cases(root: Path, channel_names: Sequence[str] = ()) -> Listing:
    """List the training cases."""
    images, clashes = by_stem(files_in(root / "imagesTr"))
    folder = root / "labelsTr"
    labels, more_clashes = by_stem(files_in(folder) if folder.is_dir() else [])
    count = 1 if _is_colour(images) else len(channel_names) or None
    cases, problems = join_sequences(images, names=channel_names, count=count)
    known = {(sequence_of(stem) or [stem])[0] for stem in images}
    return Listing(
        layout="nnU-Net",
        cases=tuple(Case(id_, id_, cases[id_], labels.get(id_)) for id_ in sorted(cases)),
        channel_names=tuple(channel_names),
        problems=(*clashes, *more_clashes, *problems, *orphan_labels(labels, known, folder)),
    )


def _is_colour(images: Mapping[str, Path]) -> bool:
    """Tell whether the declared channels are the colours of one file: plain images, all _0000."""
    numbers = {parts[1] for parts in map(sequence_of, images) if parts is not None}
    return numbers == {0} and {suffix_of(path) for path in images.values()} <= _COLOUR_SUFFIXES
