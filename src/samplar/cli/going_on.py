"""How to go on with what was stopped."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def told_to_go_on(command: Callable[[], str]) -> Iterator[None]:
    """Add the command that goes on to the message of an interrupt."""
    try:
        yield
    except KeyboardInterrupt as error:
        said = f"{error}. " if str(error) else ""
        raise type(error)(f"{said}Go on with: {command()}") from error


def same_command(*more: str) -> str:
    """Return the command that is running, with more words unless it has them."""
    given = sys.argv[1:]
    return shlex.join(["samplar", *given, *(word for word in more if word not in given)])
