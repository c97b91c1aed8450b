"""What a layout finds: cases, and every problem with one of them, none of them fatal yet."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from samplar.config.base import nearest
from samplar.errors import InputError, SamplarError
from samplar.io.case import Case
from samplar.io.formats import IMAGE_SUFFIXES
from samplar.io.names import stem_of, suffix_of
from samplar.io.spelling import one_spelling
from samplar.io.wording import few

MAX_FILES = 10_000
_SEQUENCE = re.compile(r"(?P<base>.+)_(?P<number>\d{4})", re.DOTALL)


@dataclass(frozen=True)
class Listing:
    """The cases of a data set as its files show them.

    Args:
        layout: name of the layout.
        cases: sorted by id; the subject is still the id.
        channel_names: as declared, possibly none.
        problems: errors about single cases, which are left out of `cases`.
    """

    layout: str
    cases: tuple[Case, ...]
    channel_names: tuple[str, ...] = ()
    problems: tuple[SamplarError, ...] = ()


def files_in(folder: Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> list[Path]:
    """Return the files with one of these suffixes, sorted by name, hidden ones left out.

    Raises:
        InputError: `dataset.too_many_files`, `dataset.unreadable`.
    """
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and not _is_folder(e)]
    except OSError as error:
        raise InputError(
            f"the folder cannot be listed: {error.strerror}",
            fix="Check the path and its permissions",
            code="dataset.unreadable",
            path=folder,
        ) from error
    if len(names) > MAX_FILES:
        raise InputError(
            f"{len(names)} files, more than the {MAX_FILES} allowed in one folder",
            fix="Split the data set",
            code="dataset.too_many_files",
            path=folder,
        )
    return [folder / name for name in sorted(names) if suffix_of(name) in suffixes]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell a folder; a link in a circle is none, and its reader will name it."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def by_stem(files: Iterable[Path]) -> tuple[dict[str, Path], list[SamplarError]]:
    """Index files by their name without suffix; of two that share one, both are left out."""
    groups: dict[str, list[Path]] = {}
    for path in files:
        groups.setdefault(one_spelling(stem_of(path)), []).append(path)
    clashes: list[SamplarError] = [
        InputError(
            f"{len(paths)} files have the same name: {few([p.name for p in paths])}",
            fix="Keep one of them",
            code="dataset.same_name",
            path=paths[0],
        )
        for paths in groups.values()
        if len(paths) > 1
    ]
    return {stem: paths[0] for stem, paths in groups.items() if len(paths) == 1}, clashes


def sequence_of(stem: str) -> tuple[str, int] | None:
    """Split `case_0001` into `case` and 1; None for a name without such an ending."""
    match = _SEQUENCE.fullmatch(stem)
    return None if match is None else (match["base"], int(match["number"]))


def join_sequences(
    images: Mapping[str, Path], *, names: Sequence[str], count: int | None = None
) -> tuple[dict[str, tuple[Path, ...]], list[SamplarError]]:
    """Group `CASE_0000`, `CASE_0001`, ... into cases, in the order of the numbers.

    Args:
        images: stem to file.
        names: names of the sequences, for messages.
        count: how many sequences a case has; None: as many as the case with most.

    Returns:
        Case id to files, and one problem for each case that lacks a sequence or has one too many.
    """
    groups: dict[str, dict[int, Path]] = {}
    problems: list[SamplarError] = []
    for stem, path in images.items():
        parts = sequence_of(stem)
        if parts is None:
            problems.append(_unnumbered(path))
        else:
            groups.setdefault(parts[0], {})[parts[1]] = path
    if count is None:
        count = 1 + max((max(group) for group in groups.values()), default=0)
    complete: dict[str, tuple[Path, ...]] = {}
    for base, group in groups.items():
        if sorted(group) == list(range(count)):
            complete[base] = tuple(group[number] for number in range(count))
        else:
            problems.append(_incomplete(base, group, count, names))
    return complete, problems


def orphan_labels(
    labels: Mapping[str, Path], images: Iterable[str], folder: Path
) -> list[SamplarError]:
    """Return the problem of labels whose image is not there, with the nearest image name each."""
    known = sorted(images)
    orphans = sorted(set(labels) - set(known))
    if not orphans:
        return []
    free = [stem for stem in known if stem not in labels] or known
    listing = few([f"{labels[stem].name}{nearest(stem, free)}" for stem in orphans[:5]])
    more = f" and {len(orphans) - 5} more" if len(orphans) > 5 else ""
    return [
        InputError(
            f"{len(orphans)} of {len(labels)} labels have no image: {listing}{more}",
            fix="Give image and label the same name, or remove the label",
            code="dataset.label_without_image",
            path=folder,
        )
    ]


def _unnumbered(path: Path) -> InputError:
    return InputError(
        "the image name has no sequence number such as _0000",
        fix=f"Rename it to {stem_of(path)}_0000{suffix_of(path)}",
        code="dataset.no_sequence_number",
        path=path,
    )


def _incomplete(
    base: str, group: Mapping[int, Path], count: int, names: Sequence[str]
) -> InputError:
    def called(number: int) -> str:
        return f"_{number:04d}" + (f" ({names[number]})" if number < len(names) else "")

    absent = [called(n) for n in range(count) if n not in group]
    extra = [called(n) for n in sorted(group) if n >= count]
    problem = f"the case {base} lacks sequence {few(absent)}" if absent else ""
    problem += " and " if absent and extra else ""
    problem += f"the case {base} has the undeclared sequence {few(extra)}" if extra else ""
    return InputError(
        f"{problem}; {count} are expected",
        fix="Add what is missing, correct channel_names, or remove the case",
        code="dataset.sequence",
        path=next(iter(group.values())),
    )
