"""How far long work is, with the time left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import TaskID

LINES = 20
"""At most so many plain lines a stage: one every 5 %."""

SECONDS = 1.0
"""Least time between two plain lines, so that short stages do not fill a log."""


class Progress(Protocol):
    """What a verb tells about its work: stages, and steps within them."""

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of `total` steps."""

    def step(self, done: int, loss: float | None = None) -> None:
        """Say that `done` steps of the stage are done, and the latest loss if there is one."""

    def close(self) -> None:
        """End the last stage."""


class Silence:
    """Show nothing."""

    def stage(self, name: str, total: int) -> None:
        """Show nothing."""

    def step(self, done: int, loss: float | None = None) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


class PlainLines:
    """One line about every 5 %, for logs and pipes."""

    def __init__(
        self, write: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.write = write
        self.clock = clock
        self.stage("", 0)

    def stage(self, name: str, total: int) -> None:
        """Begin a stage."""
        self.name, self.total = name, total
        self.start = self.told_at = self.clock()
        self.told = 0

    def step(self, done: int, loss: float | None = None) -> None:
        """Write a line if enough has happened since the last one, and at the end."""
        now, part = self.clock(), LINES * done // max(self.total, 1)
        last = done == self.total
        if part <= self.told or (now - self.told_at < SECONDS and not last):
            return
        self.told, self.told_at = part, now
        share, seconds = done / self.total, now - self.start
        left = seconds / share - seconds
        when = f"{left:.0f} s left" if not last else f"{seconds:.0f} s"
        shown = "" if loss is None else f", loss {loss:.3f}"
        self.write(f"{self.name}: {share:.0%}, {when}{shown}")

    def close(self) -> None:
        """Write nothing more."""


class RichBars:
    """One bar per stage, on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}"),
            console=Console(stderr=True),
        )
        self.task: TaskID | None = None

    def stage(self, name: str, total: int) -> None:
        """Begin a bar."""
        self.bars.start()
        self.task = self.bars.add_task(name, total=total, loss="")

    def step(self, done: int, loss: float | None = None) -> None:
        """Move the bar."""
        if self.task is not None:
            shown = "" if loss is None else f"loss {loss:.3f}"
            self.bars.update(self.task, completed=done, loss=shown)

    def close(self) -> None:
        """Leave the bars as they are."""
        self.bars.stop()
