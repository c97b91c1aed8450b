"""Base weights on first use."""

from __future__ import annotations

from collections.abc import Callable

from samplar.sam.weights import fetch_weights, weights_status


def ensure_weights(name: str, *, on_progress: Callable[[int, int], None]) -> bool:
    """Fetch known base weights that are not in the cache yet; say whether they were fetched.

    What is in the cache is left alone, even if it is damaged: loading it refuses it and says how to
    fetch it again. A path, or a name nobody knows, is left for `load_sam` to judge.

    Args:
        name: as the user wrote it.
        on_progress: called with (bytes so far, bytes in all).

    Raises:
        WeightsError: `weights.offline` and the others of `samplar.io.assets.fetch`.
        OutputError: the cache cannot be written.
    """
    absent = any(known.name == name and not known.present for known in weights_status())
    if absent:
        fetch_weights(name, on_progress=on_progress)
    return absent
