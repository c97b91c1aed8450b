"""The errors a user can meet: one line each, with what to do and an exit status.

The line always has four parts, `samplar: FILE: PROBLEM. FIX. [CODE]`, and the status tells a
script which kind of trouble it was (2 usage, 3 input, 4 output, 5 weights, 6 resources).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar


class SamplarError(Exception):
    """A problem that the user can mend.

    Args:
        problem: what was found, with the number, without a closing full stop.
        fix: what to do about it, without a closing full stop.
        code: a short dotted name that tests and scripts can rely on, such as `io.truncated`.
        path: the file or folder it is about, if any.
    """

    exit_status: ClassVar[int] = 70

    def __init__(
        self, problem: str, *, fix: str, code: str, path: str | Path | None = None
    ) -> None:
        self.problem = problem
        self.fix = fix
        self.code = code
        self.path = None if path is None else str(path)
        super().__init__(self.line())

    def __reduce__(self) -> tuple[Any, ...]:
        """Let a worker process hand the error over."""
        return _rebuilt, (type(self), self.problem, self.fix, self.code, self.path)

    def line(self) -> str:
        """Return the one line shown to the user.

        What does not print stands in it escaped: a file name can hold line breaks, the codes that
        colour a terminal, and signs that turn the direction of writing.
        """
        where = "" if self.path is None else f"{self.path}: "
        text = f"samplar: {where}{self.problem}. {self.fix}. [{self.code}]"
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _rebuilt(
    kind: type[SamplarError], problem: str, fix: str, code: str, path: str | None
) -> SamplarError:
    return kind(problem, fix=fix, code=code, path=path)


class UsageError(SamplarError):
    """A wrong flag, configuration key or combination of them."""

    exit_status = 2


class InputError(SamplarError):
    """An input file, label or data set that cannot be used as it is."""

    exit_status = 3


class OutputError(SamplarError):
    """A result that cannot be written."""

    exit_status = 4


class WeightsError(SamplarError):
    """Base weights or an adapter that are missing, damaged or of another kind."""

    exit_status = 5


class ResourceError(SamplarError):
    """Memory, disk or time ran out, a device went away, or training left the finite numbers."""

    exit_status = 6


class CaseMemoryError(ResourceError):
    """There was not the memory for one case; there may be for the others."""


def is_out_of_memory(error: BaseException) -> bool:
    """Recognise running out of memory without importing torch, which may not be loaded."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    words = ("can't allocate memory", "out of memory")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def is_device_lost(error: BaseException) -> bool:
    """Recognise a GPU that stopped working; nothing more can be computed on it in this process."""
    if not isinstance(error, RuntimeError) or is_out_of_memory(error):
        return False
    words = ("CUDA error", "CUDA driver error", "cuDNN error", "CUBLAS_STATUS")
    return type(error).__name__ == "AcceleratorError" or any(word in str(error) for word in words)
