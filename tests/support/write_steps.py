"""Count every step with which this process changes a folder, and let one of them go wrong.

Installed in a process that is about to run samplar and to end. Python's audit events see every file
that is opened for writing, renamed or removed, whoever does it; the bytes themselves and fsync are
seen by wrapping the two functions that all writing goes through.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CUT = 99
"""Exit status of a process whose power was cut."""
CHANGES = {"os.rename": "rename", "os.remove": "remove", "os.rmdir": "rmdir", "os.mkdir": "mkdir"}
WRITES = {"open", "bytes", "row", "fsync", "rename", "mkdir"}
"""Steps that can fail for want of room; removing cannot."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong.

    Args:
        kind: `none`, `kill`, `error` or `power`.
        at: the number of the step, from 1; steps that only remove do not count for `error`.
        number: errno of the error.
        lasting: whether every later step fails too, as on a full disk.
    """

    kind: str = "none"
    at: int = 0
    number: int = 0
    lasting: bool = False


class Steps:
    """The steps inside one folder; step `at` does not happen, or only half of it."""

    def __init__(self, folder: Path, fault: Fault) -> None:
        self.folder = os.path.realpath(folder)
        self.fault = fault
        self.names: list[str] = []
        self.failing = False
        self.disk = Disk(Path(self.folder)) if fault.kind == "power" else None

    def install(self) -> None:
        """See every step from now on; this cannot be undone."""
        from samplar.io import atomic
        from samplar.training.journal import Journal

        real_fsync, real_new, real_row = os.fsync, atomic.write_new, Journal.write

        def fsync(descriptor: int) -> None:
            place = str(Path(f"/proc/self/fd/{descriptor}").readlink())
            if self._mine(place):
                self.reach("fsync", place)
            real_fsync(descriptor)
            if self.disk is not None and self._mine(place):
                self.disk.note(Path(place))

        def write_new(path: Path, data: bytes) -> None:
            if not self._mine(path):
                real_new(path, data)
                return
            with path.open("xb") as file:
                file.write(data[: len(data) // 2])
                file.flush()
                self.reach("bytes", path)
                file.write(data[len(data) // 2 :])

        def row(journal: Any, values: dict[str, Any]) -> None:
            real, journal._file = journal._file, HalfFirst(journal, self)
            try:
                real_row(journal, values)
            finally:
                journal._file = real

        os.fsync, Journal.write = fsync, row
        for name, module in list(sys.modules.items()):
            if name.startswith("samplar.") and getattr(module, "write_new", None) is real_new:
                module.write_new = write_new
        sys.addaudithook(self._audit)

    def reach(self, what: str, place: object) -> None:
        """Count a step, and let it go wrong if it is the one."""
        fault = self.fault
        if fault.kind == "error" and what not in WRITES:
            return
        self.names.append(what)
        self.failing = self.failing and fault.lasting
        if len(self.names) == fault.at:
            self.failing = True
        if not self.failing:
            return
        if fault.kind == "error":
            raise OSError(fault.number, os.strerror(fault.number), str(place))
        if self.disk is not None:
            self.disk.cut()
            os._exit(CUT)
        os.kill(os.getpid(), signal.SIGKILL)

    def _mine(self, path: object) -> bool:
        if not isinstance(path, str | os.PathLike):
            return False
        text = str(Path(path).absolute())
        return text == self.folder or text.startswith(self.folder + os.sep)

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and self._mine(args[0]) and _for_writing(args[1], args[2]):
            # A temporary that is opened again for fsync is no new step: fsync is.
            if not Path(args[0]).exists():
                self.reach("open", args[0])
        elif event == "os.mkdir" and Path(str(args[0])).is_dir():
            return  # it is there: Path.mkdir tries and is content
        elif event in CHANGES and any(self._mine(arg) for arg in args[:2]):
            self.reach(CHANGES[event], args[0])


class HalfFirst:
    """The file of a journal, on which a row is written in two parts with a step between."""

    def __init__(self, journal: Any, steps: Steps) -> None:
        self.file, self.path, self.steps = journal._file, journal.path, steps

    def write(self, data: memoryview) -> int:
        half = len(data) // 2
        self.file.write(data[:half])
        self.steps.reach("row", self.path)
        return half + self.file.write(data[half:])


def _for_writing(mode: object, flags: object) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


@dataclass
class Disk:
    """What would be left of a folder if the power were cut: only what was synced.

    The bytes of a file are those of its last fsync, the names in a folder those of its own. All
    that was there before counts as synced. What is noted is held open: the number of a file that
    was removed would else be given to another, which would come back with its content.
    """

    root: Path
    files: dict[int, bytes] = field(default_factory=dict)
    folders: dict[int, dict[str, int]] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        for path in (self.root, *self.root.rglob("*")):
            self.note(path)

    def note(self, path: Path) -> None:
        """A file or folder was synced just now."""
        if not path.exists():
            return
        number = self._hold(path)
        if path.is_dir():
            entries = {entry: entry.stat().st_ino for entry in path.iterdir()}
            self.folders[number] = {entry.name: inner for entry, inner in entries.items()}
            for entry in entries:
                if entry.is_dir():  # one that was never synced itself comes back empty
                    self.folders.setdefault(self._hold(entry), {})
        else:
            self.files[number] = path.read_bytes()

    def _hold(self, path: Path) -> int:
        number = path.stat().st_ino
        if number not in self.held:
            os.open(path, os.O_PATH)
            self.held.add(number)
        return number

    def cut(self) -> None:
        """Put the folder into the state of the disk, under another name, then in its place."""
        after = self.root.with_name(f"{self.root.name}.after")
        self._restore(after, self.root.stat().st_ino)
        self.root.rename(self.root.with_name(f"{self.root.name}.before"))
        after.rename(self.root)

    def _restore(self, place: Path, number: int) -> None:
        if number not in self.folders:
            place.write_bytes(self.files.get(number, b""))
            return
        place.mkdir()
        for name, inner in self.folders[number].items():
            self._restore(place / name, inner)
