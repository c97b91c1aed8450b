"""One process at a time writes into an output folder.

The system gives a lock back when the process that holds it ends, however it ends: a lock that was
left behind never blocks. The file says who holds it.
"""

from __future__ import annotations

import errno
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from samplar.errors import OutputError
from samplar.io.atomic import ensure_writable, explained, sweep

try:
    import fcntl
except ImportError:
    import msvcrt

    def _lock(descriptor: int) -> None:
        """Lock on Windows: a byte far behind the text, which stays readable for others."""
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        os.lseek(descriptor, 0, os.SEEK_SET)
else:

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


NAME = ".samplar-lock"

_HELD = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}
_UNKNOWN = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL}
"""What a network disk without locks answers."""


@contextmanager
def sole_writer(folder: Path) -> Iterator[str]:
    """Make an output folder and hold its lock; give a note if the disk knows no locks, else "".

    Temporaries that dead processes left in it are removed.

    Raises:
        OutputError: `output.busy`, naming the process that writes there; `output.not_writable` or
            the code that fits the trouble.
    """
    ensure_writable(folder)
    path = folder / NAME
    try:
        descriptor, note = _locked(path)
    except OSError as error:
        raise explained(error, path) from error
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()} on {platform.node()}\n".encode())
        sweep(folder)
        yield note
    finally:
        # The name goes before the lock does: whoever waits for neither can never hold a lock on a
        # file that another one has just removed. Windows removes no file that is open.
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


def _locked(path: Path) -> tuple[int, str]:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            note = _try(descriptor, path)
        except BaseException:
            os.close(descriptor)
            raise
        if _is(descriptor, path):
            return descriptor, note
        os.close(descriptor)  # the one who held it has removed it meanwhile


def _try(descriptor: int, path: Path) -> str:
    try:
        _lock(descriptor)
    except OSError as error:
        if error.errno in _HELD:
            raise _busy(path) from error
        if error.errno in _UNKNOWN:
            return f"{path.parent} cannot be locked: see that nothing else writes there"
        raise
    return ""


def _is(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _busy(path: Path) -> OutputError:
    try:
        who = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        who = ""
    return OutputError(
        f"another samplar process ({who or 'just started'}) is writing here",
        fix="Wait for it, or choose another output folder",
        code="output.busy",
        path=path.parent,
    )
