"""The user's cache folder, and the lock that keeps two processes from filling it at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from samplar.errors import OutputError, ResourceError
from samplar.io.atomic import ensure_writable

CACHE_VARIABLE = "SAMPLAR_CACHE"

LOCK_SECONDS = 1800.0
"""How long to wait for another process that is fetching the same files."""


def cache_folder(area: str) -> Path:
    """Return the folder that holds fetched files of one area, such as `weights`.

    The environment variable `SAMPLAR_CACHE` overrides the platform's own place. Nothing is created.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    root = Path(chosen).expanduser() if chosen else user_cache_path("samplar")
    return root / area


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def locked(folder: Path, name: str, *, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock `name` of a cache folder, which is made if it is not there.

    Raises:
        OutputError: `output.not_writable` or `cache.lock`, when the folder cannot be used.
        ResourceError: `cache.busy`, when another process keeps the lock for longer than `seconds`.
    """
    ensure_writable(folder)
    lock = FileLock(folder / f".{name}.lock")
    try:
        lock.acquire(timeout=seconds)
    except Timeout as error:
        raise ResourceError(
            f"another process has been fetching {name} for {seconds:.0f} seconds",
            fix="Wait for it, or end it, and run again",
            code="cache.busy",
            path=folder,
        ) from error
    except (OSError, NotImplementedError) as error:
        raise OutputError(
            f"cannot lock the cache: {error}",
            fix=f"Point {CACHE_VARIABLE} at a folder on a local disk",
            code="cache.lock",
            path=folder,
        ) from error
    try:
        yield
    finally:
        lock.release()
