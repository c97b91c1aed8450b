"""What an error means for the shell: one line on stderr and an exit status, never a traceback.

0 done; 2 usage; 3 input; 4 output; 5 weights or adapter; 6 memory, disk or time; 7 some cases
failed; 70 a bug of ours; 130 interrupted; 143 terminated.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable

from samplar.cli.screen import Screen
from samplar.cli.signals import Terminated
from samplar.errors import (
    InputError,
    ResourceError,
    SamplarError,
    is_device_lost,
    is_out_of_memory,
)

SOME_FAILED = 7
BUG = 70
INTERRUPTED = 130
TERMINATED = 143


def guard(body: Callable[[], int | None], screen: Screen, *, debug: bool) -> int:
    """Run a verb and return its exit status; an error is told in one line.

    A broken pipe is let through: typer ends quietly when the reader of our output has gone.
    """
    try:
        return body() or 0
    except BrokenPipeError:
        raise
    except KeyboardInterrupt as error:
        terminated = isinstance(error, Terminated)
        screen.warn(f"samplar: {'terminated' if terminated else 'interrupted'}. {error or ''}")
        return TERMINATED if terminated else INTERRUPTED
    except Exception as error:  # the last line of defence: whatever it is, one line and a status
        if debug:
            screen.warn(traceback.format_exc())
        known = as_samplar_error(error)
        screen.warn(_bug_line(error) if known is None else known.line())
        return BUG if known is None else known.exit_status


def as_samplar_error(error: Exception) -> SamplarError | None:
    """Return the error as one that the user can mend, or None if it is a bug."""
    if isinstance(error, SamplarError):
        return error
    if is_out_of_memory(error):
        return ResourceError(
            "memory ran out",
            fix="Use a smaller --size, or --set training.batch=4 or --set training.memory=0.25",
            code="resources.memory",
        )
    if is_device_lost(error):
        return ResourceError(
            f"the GPU stopped working ({_first_line(error)})",
            fix="What is saved stays: give the command again, with --resume for a fit, or choose "
            "another --device",
            code="device.lost",
        )
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return ResourceError(
            "the disk is full",
            fix="Free some space; a fit can then go on with --resume",
            code="resources.disk",
            path=error.filename,
        )
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        return InputError(
            f"cannot be used: {error.strerror} (error {error.errno})",
            fix="Check the path and its permissions",
            code="input.unusable",
            path=str(error.filename),
        )
    return None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _bug_line(error: Exception) -> str:
    found = " ".join(f"{type(error).__name__}: {error}".split())
    return (
        f"samplar: this should not have happened: {found}. "
        "Please report it with what the same command prints with --debug. [bug]"
    )
