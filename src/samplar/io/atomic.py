"""The only writer: a name holds a complete, verified file, or what it held before.

Temporary file in the target folder, write, fsync, verify, rename over the target, fsync the folder.
On any error the temporary is removed and the old file stays.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from samplar.errors import InputError, OutputError
from samplar.io.names import suffix_of

_POSIX = os.name == "posix"
_PREFIX = ".samplar-tmp"
_FREE_SPACE = "Free some space, or choose another output folder; nothing was overwritten"
_PERMISSION = "Choose a folder you may write to, or change its permissions"

_TROUBLE = {
    errno.ENOSPC: ("the disk is full", _FREE_SPACE, "output.disk_full"),
    errno.EDQUOT: ("the disk quota is used up", _FREE_SPACE, "output.disk_full"),
    errno.EFBIG: ("the file is larger than the system allows", _FREE_SPACE, "output.too_large"),
    errno.EACCES: ("no permission to write", _PERMISSION, "output.not_writable"),
    errno.EPERM: ("no permission to write", _PERMISSION, "output.not_writable"),
    errno.EROFS: ("the disk is read-only", _PERMISSION, "output.not_writable"),
    errno.ENAMETOOLONG: ("the name is too long", "Use a shorter name", "output.name"),
    errno.EISDIR: ("a folder has this name", "Use another name", "output.name"),
    errno.ENOTDIR: ("part of the path is a file", "Use another folder", "output.not_writable"),
    errno.EEXIST: ("a file has this name", "Use another folder", "output.not_writable"),
    errno.ENOENT: ("the folder does not exist", "Create it first", "output.not_writable"),
}


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file, and compare it with what the disk gives back.

    Raises:
        OutputError: see `write_with`.
    """
    digest = hashlib.sha256(data).digest()

    def verify(written: Path) -> None:
        if hashlib.sha256(written.read_bytes()).digest() != digest:
            raise _unlike(path)

    write_with(path, lambda target: write_new(target, data), verify)


def write_with(path: Path, writer: Callable[[Path], None], verify: Callable[[Path], None]) -> None:
    """Put a file in place only once it is complete, on disk and verified.

    Args:
        path: the final name; its folder must exist.
        writer: writes to the temporary path it is given (same folder, same suffix).
        verify: reads the temporary back and raises `InputError` or `ValueError` if it is not what
            was meant.

    Raises:
        OutputError: `output.disk_full`, `output.too_large`, `output.not_writable`, `output.name`,
            `output.failed` or `output.verify`. The file that had this name before is still there.
    """
    temporary = path.parent / f"{_owner()}-{secrets.token_hex(4)}{suffix_of(path)}"
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder")
        writer(temporary)
        _sync(temporary)
        verify(temporary)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise explained(error, path) from error
    except (InputError, ValueError) as error:
        raise _unlike(path) from error
    finally:
        _discard(temporary)


def ensure_writable(folder: Path) -> None:
    """Create the folder if needed and really write to it, before anything is computed.

    Temporaries that dead processes of this machine left in it are removed.

    Raises:
        OutputError: `output.not_writable` or the code that fits the trouble.
    """
    make_folder(folder)
    try:
        _sweep(folder)
    except OSError as error:
        raise explained(error, folder) from error
    probe = folder / f"{_owner()}-{secrets.token_hex(4)}"
    try:
        write_new(probe, b"probe")
        _sync(probe)
    except OSError as error:
        raise explained(error, folder) from error
    finally:
        _discard(probe)


def make_folder(folder: Path) -> None:
    """Create a folder and those above it, so that a power cut does not take them away again.

    Raises:
        OutputError: the code that fits the trouble.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for place in made:
            _sync_folder(place.parent)
    except OSError as error:
        raise explained(error, folder) from error


def replace_folder(working: Path, final: Path) -> None:
    """Give a folder whose files are on disk its final name, in place of what has that name.

    Raises:
        OutputError: the code that fits the trouble.
    """
    try:
        if final.exists():  # a folder cannot be renamed over another
            remove_folder(final)
        working.replace(final)
        _sync_folder(final.parent)
    except OSError as error:
        raise explained(error, final) from error


def remove_file(path: Path) -> None:
    """Remove a file, if it is there, so that a power cut does not bring it back.

    Raises:
        OutputError: the code that fits the trouble.
    """
    try:
        if path.exists():
            path.unlink()
            _sync_folder(path.parent)
    except OSError as error:
        raise explained(error, path) from error


def remove_folder(folder: Path) -> None:
    """Remove a folder: its name goes first, so that half of it is never found under that name.

    Raises:
        OutputError: the code that fits the trouble.
    """
    doomed = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        folder.replace(doomed)
        _sync_folder(doomed.parent)
        shutil.rmtree(doomed)
    except OSError as error:
        raise explained(error, folder) from error


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet: the writer of `write_with` for plain bytes."""
    with path.open("xb") as file:
        file.write(data)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    if not _POSIX:  # Windows cannot open a folder, and renames are durable without it
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(temporary: Path) -> None:
    try:
        temporary.unlink()
    except OSError:
        # It was never made or has its final name; or the folder went away or became read-only, and
        # then the first error is the one to report.
        return


def explained(error: OSError, path: Path) -> OutputError:
    """Return what an error of the system means for a file that is written, or a folder."""
    number = error.errno if error.errno is not None else 0
    reason = error.strerror or str(error)
    fallback = (f"writing failed: {reason} (error {number})", "Try another folder", "output.failed")
    problem, fix, code = _TROUBLE.get(number, fallback)
    return OutputError(problem, fix=fix, code=code, path=path)


def _unlike(path: Path) -> OutputError:
    return OutputError(
        "the file read back is not what was written; the old one, if any, was kept",
        fix="Check the disk, then run again",
        code="output.verify",
        path=path,
    )


def _host() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _owner() -> str:
    return f"{_PREFIX}-{_host()}-{os.getpid()}"


def whole_files(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a folder whose names fit a pattern, sorted.

    Temporaries are not among them: someone may be writing them, or was killed while he did.
    """
    found = folder.glob(pattern)
    return sorted(path for path in found if not path.name.startswith(_PREFIX))


def sweep(folder: Path) -> None:
    """Remove the temporaries that dead processes of this machine left in a folder or below it.

    Raises:
        OutputError: the code that fits the trouble.
    """
    try:
        for place in (folder, *(entry for entry in folder.rglob("*") if entry.is_dir())):
            _sweep(place)
    except OSError as error:
        raise explained(error, folder) from error


def _sweep(folder: Path) -> None:
    if not _POSIX:  # asking whether a process lives would end it on Windows
        return
    mine = re.compile(rf"{re.escape(_PREFIX)}-{_host()}-(\d+)-")
    for entry in folder.glob(f"{_PREFIX}-*"):
        match = mine.match(entry.name)
        if match and not _alive(int(match[1])):
            _discard(entry)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
