"""Base weights on first use, with a message and how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from samplar.cli.progress import Progress
from samplar.cli.screen import Screen

if TYPE_CHECKING:
    from samplar.config.fit import FitConfig


def weights_ready(screen: Screen, progress: Progress, name: str) -> None:
    """Fetch the base weights `name` if they are known and not in the cache.

    Raises:
        WeightsError: `weights.offline` and others, with what to do without network.
    """
    from samplar.api.weights import ensure_weights

    if ensure_weights(name, on_progress=on_bytes(progress, f"fetching {name} (first use)")):
        screen.note(f"{name} is in the cache now, checked; it is not fetched again")


def weights_for_choice(screen: Screen, progress: Progress, settings: FitConfig) -> None:
    """Fetch the base weights if choosing the exemplars needs them.

    Raises:
        WeightsError: as for `weights_ready`.
    """
    if settings.exemplars is None and settings.strategy == "diverse":
        weights_ready(screen, progress, settings.weights)


def on_bytes(progress: Progress, name: str) -> Callable[[int, int], None]:
    """Return what to call with (bytes so far, bytes in all); the first call begins a stage."""
    begun: list[str] = []

    def tell(done: int, total: int) -> None:
        if not begun:
            begun.append(name)
            progress.stage(name, total)
        progress.step(done)

    return tell
