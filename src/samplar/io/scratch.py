"""Room on the disk for a file that a process uses as memory."""

from __future__ import annotations

import os
from pathlib import Path


def reserve(path: Path, size: int) -> None:
    """Make a file of `size` bytes whose room on the disk is taken, not only promised.

    A file that is mapped into memory is filled long after it was made. If the disk is full by then
    the system kills the process (SIGBUS), and nobody can be told why.

    Raises:
        OSError: ENOSPC or EDQUOT, with the name of the file; nothing of it is left.
    """
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:  # macOS and Windows
            os.ftruncate(descriptor, size)
    except OSError as error:
        path.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(descriptor)
