"""One spelling for a name, however the system that wrote it composes its letters."""

from __future__ import annotations

import unicodedata


def one_spelling(name: str) -> str:
    """Return the name with composed letters (Unicode NFC).

    Some systems write an umlaut as one character, others as a letter and a mark. They look the same
    and must match: a file name from one machine, a table from another.
    """
    return unicodedata.normalize("NFC", name)
