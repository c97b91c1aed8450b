"""Every name that a data set could give away: of cases, people and files, and header texts."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from samplar.errors import SamplarError
from samplar.io.admission import kind_of
from samplar.io.case import Case
from samplar.io.content import read_head
from samplar.io.nifti_header import PRIVATE, parse
from samplar.io.survey import survey

_HEADER = 544  # bytes of the longer one, NIfTI-2, with what follows it


def names_in(root: Path) -> set[str]:
    """Return the names of a data set; none of them belongs into what is shared.

    Raises:
        InputError: `dataset.*`, `document.*`, if it cannot be listed.
    """
    return {name for case in survey(root).cases for name in _of_case(case)}


def _of_case(case: Case) -> Iterator[str]:
    yield from (case.id, case.subject)
    for path in (*case.images, *([case.label] if case.label else [])):
        yield from (path.name, str(path))
        yield from header_texts(path)


def header_texts(path: Path) -> list[str]:
    """Return the free texts in the header of a NIfTI file; of other files, and damaged ones, none.

    What is damaged, or hidden elsewhere in a file, never reaches an adapter: no header is copied
    into one.
    """
    try:
        head = read_head(path)
        if kind_of(head, path) == "gzip":
            with gzip.open(path) as file:
                head = file.read(_HEADER)
        header = parse(head, path)
    except (SamplarError, OSError, EOFError, zlib.error):
        return []
    texts = (bytes(header[name].tobytes()).split(b"\0")[0] for name in PRIVATE & set(header.keys()))
    return [text.decode("latin-1").strip() for text in texts if text.strip()]
