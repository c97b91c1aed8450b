"""Lists in messages: the first few of many."""

from __future__ import annotations

from collections.abc import Collection


def few(names: Collection[object], limit: int = 5) -> str:
    """Return the first names with commas, and how many more there are."""
    shown = ", ".join(str(name) for name in list(names)[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
