"""Being told to stop: at once, or while training after the step that is under way."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised like the interrupt that it is."""


def raise_stop(number: int, _frame: FrameType | None) -> None:
    """Stop at once: the handler of both signals unless `patiently` is active."""
    raise _stop(number)


def install() -> None:
    """Let SIGTERM end a verb as an interrupt does, so that temporary files are cleaned away."""
    for number in SIGNALS:
        signal.signal(number, raise_stop)


@contextmanager
def patiently(say: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Keep the first signal back until the function given here is called; the second stops at once.

    Args:
        say: told once that the wish was heard.
    """
    wanted: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        if wanted:
            raise _stop(number)
        wanted.append(number)
        say("stopping after this step; once more to stop at once")

    def check() -> None:
        if wanted:
            raise _stop(wanted[0], "The state is saved")

    before = {number: signal.signal(number, remember) for number in SIGNALS}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, message: str = "") -> KeyboardInterrupt:
    return Terminated(message) if number == signal.SIGTERM else KeyboardInterrupt(message)
