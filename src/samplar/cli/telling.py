"""What the library says while it works, shown on the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from samplar.cli.progress import Progress
from samplar.cli.screen import Screen
from samplar.cli.signals import patiently

if TYPE_CHECKING:
    from samplar.training.fit import Told

TRAINING = "training"


@contextmanager
def telling(screen: Screen, progress: Progress) -> Iterator[Told]:
    """Give the library someone to tell; while it trains, an interrupt waits for the step to end."""
    from samplar.training.fit import Told

    with ExitStack() as training:
        checks: dict[int, Callable[[], None]] = {}

        def stage(name: str, total: int) -> None:
            progress.stage(name, total)
            if name == TRAINING:
                checks[total] = training.enter_context(patiently(screen.warn))

        def step(done: int, loss: float | None = None) -> None:
            progress.step(done, loss)
            for last, check in list(checks.items()):
                check()
                if done == last:
                    checks.clear()
                    training.close()

        yield Told(stage=stage, step=step, note=screen.note)


def fractions(progress: Progress, name: str, total: int) -> Callable[[int, str], None]:
    """Begin a stage over cases; return what to call with (cases done, the one that comes next)."""
    progress.stage(name, total)

    def tell(done: int, _case: str) -> None:
        progress.step(done)

    return tell
