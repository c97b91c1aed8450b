"""`images/` and `labels/`: same file name, or same name and another suffix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from samplar.errors import SamplarError
from samplar.io.case import Case
from samplar.io.layouts.listing import (
    Listing,
    by_stem,
    files_in,
    join_sequences,
    orphan_labels,
    sequence_of,
)


def recognise(root: Path) -> bool:
    """Tell whether a folder is laid out this way."""
    return (root / "images").is_dir()


def list_cases(root: Path, channel_names: Sequence[str] = ()) -> Listing:
    """List images with their labels; `CASE_0000`, `CASE_0001` with label `CASE` are sequences."""
    images, clashes = by_stem(files_in(root / "images"))
    folder = root / "labels"
    labels, more_clashes = by_stem(files_in(folder) if folder.is_dir() else [])
    cases, problems = _sequences(images, labels, channel_names)
    bases = {parts[0] for parts in map(sequence_of, images) if parts}
    return Listing(
        layout="images and labels folders",
        cases=tuple(Case(id_, id_, cases[id_], labels.get(id_)) for id_ in sorted(cases)),
        channel_names=tuple(channel_names),
        problems=(
            *clashes,
            *more_clashes,
            *problems,
            *orphan_labels(labels, bases | set(images), folder),
        ),
    )


def _sequences(
    images: Mapping[str, Path], labels: Mapping[str, Path], names: Sequence[str]
) -> tuple[dict[str, tuple[Path, ...]], list[SamplarError]]:
    """Join sequences only if a label shows that the numbers are not part of the case names."""
    split = {stem: sequence_of(stem) for stem in images if stem not in labels}
    if any(parts is not None and parts[0] in labels for parts in split.values()):
        return join_sequences(images, names=names, count=len(names) or None)
    return {stem: (path,) for stem, path in images.items()}, []
