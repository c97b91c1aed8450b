"""Output folders: one that a failed verb has made, and left empty, is taken away again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def no_empty_folder(folder: Path) -> Iterator[None]:
    """Remove the folder, and those made above it, if the body fails and nothing is in them."""
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        yield
    except BaseException:
        for place in made:
            if not _removed(place):
                break
        raise


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:  # it holds something, or was never made
        return not folder.exists()
    return True
