"""What is known about the cases that are finished, so that a rerun does only what is missing.

`OUT/predict.json` says what the predictions in a folder were made with. `OUT/records/CASE.json` is
written last of all files of a case: digests of what went in and of what came out. A case is kept if
all of them hold. A file that was changed since is somebody's work and is not written over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from samplar.config.base import Strict
from samplar.config.training import Precision
from samplar.errors import InputError, UsageError
from samplar.io.atomic import make_folder, remove_file, write_bytes
from samplar.io.cache import sha256_of
from samplar.io.formats import IMAGE_SUFFIXES

CLAIM = "predict.json"
RECORDS = "records"


class MadeBy(Strict):
    """What decides a prediction besides its image; `adapter` is the SHA-256 of its card."""

    samplar: str
    adapter: str
    precision: Precision
    probabilities: bool
    largest: bool
    tta: bool | None

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Record(BaseModel):
    """A finished case.

    Args:
        case: its name.
        made_by: digest of the `MadeBy`.
        inputs: SHA-256 of the files that were read, in order.
        outputs: SHA-256 of the files that were written, by name inside the folder; the label map
            comes first.
        notes: what was said about it.
    """

    model_config = ConfigDict(frozen=True)

    case: str
    made_by: str
    inputs: tuple[str, ...]
    outputs: dict[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Records:
    """The records of an output folder.

    Args:
        out: the folder.
        made_by: of the predictions that are to be made now.
        overwrite: make every case, whatever is there.
    """

    out: Path
    made_by: MadeBy
    overwrite: bool = False

    def check(self, cases: Iterable[str]) -> None:
        """Refuse a folder that holds other predictions, before anything is computed.

        Raises:
            UsageError: `predict.other` or `predict.exists`.
        """
        found = self._claimed()
        if self.overwrite or found == self.made_by:
            return
        if found is not None:
            raise UsageError(
                f"the predictions here were made otherwise: {_difference(found, self.made_by)}",
                fix="Choose another output folder, or add --overwrite to make them again",
                code="predict.other",
                path=self.out,
            )
        foreign = self._foreign(cases)
        if foreign is not None:
            raise UsageError(
                "is there already, and was not written by `samplar predict` in this folder",
                fix="Choose another output folder, or add --overwrite to replace it",
                code="predict.exists",
                path=foreign,
            )

    def kept(self, case: str, inputs: Sequence[str]) -> Record | None:
        """Return the record of a case that need not be made again, else None.

        Raises:
            InputError: `predict.altered`, when a file of the case was changed since.
        """
        record = None if self.overwrite else self._read(case)
        if record is None:
            return None
        found = {name: _digest(self.out / name) for name in record.outputs}
        for name, digest in found.items():
            if digest not in ("", record.outputs[name]):
                raise _altered(self.out / name, record.outputs[name], digest)
        same = (record.made_by, record.inputs) == (self.made_by.digest, tuple(inputs))
        return record if same and "" not in found.values() else None

    def begin(self, case: str) -> None:
        """Say that the files of a case are about to be written: from now on they are ours."""
        if self._claimed() != self.made_by:
            write_bytes(self.out / CLAIM, (self.made_by.model_dump_json(indent=1) + "\n").encode())
        remove_file(self._path(case))

    def finish(
        self, case: str, *, inputs: Sequence[str], outputs: Sequence[Path], notes: Sequence[str]
    ) -> None:
        """Write the record of a case whose files are all in place."""
        record = Record(
            case=case,
            made_by=self.made_by.digest,
            inputs=tuple(inputs),
            outputs={path.relative_to(self.out).as_posix(): sha256_of(path) for path in outputs},
            notes=tuple(notes),
        )
        make_folder(self.out / RECORDS)
        write_bytes(self._path(case), (record.model_dump_json(indent=1) + "\n").encode())

    def _claimed(self) -> MadeBy | None:
        try:
            return MadeBy.model_validate_json((self.out / CLAIM).read_bytes())
        except (OSError, ValidationError):  # then whatever is there is not ours
            return None

    def _foreign(self, cases: Iterable[str]) -> Path | None:
        names = (f"{case}{suffix}" for case in cases for suffix in IMAGE_SUFFIXES)
        return next((self.out / name for name in names if (self.out / name).exists()), None)

    def _path(self, case: str) -> Path:
        return self.out / RECORDS / f"{case}.json"

    def _read(self, case: str) -> Record | None:
        try:
            return Record.model_validate_json(self._path(case).read_bytes())
        except (OSError, ValidationError):  # then the case is made again
            return None


def digests_of(paths: Iterable[Path]) -> tuple[str, ...]:
    """Return the SHA-256 of each file, "" for one that cannot be read: its reader says why."""
    return tuple(_digest(path) for path in paths)


def _digest(path: Path) -> str:
    try:
        return sha256_of(path) if path.is_file() else ""
    except OSError:
        return ""


def _difference(found: MadeBy, wanted: MadeBy) -> str:
    pairs = ((name, getattr(found, name), getattr(wanted, name)) for name in MadeBy.model_fields)
    return ", ".join(f"{name} {_short(a)}, now {_short(b)}" for name, a, b in pairs if a != b)


def _short(value: object) -> str:
    return str(value)[:12]


def _altered(path: Path, expected: str, found: str) -> InputError:
    return InputError(
        f"was changed after it was written (sha256 {found[:12]}, was {expected[:12]})",
        fix="Move it away to keep it, or add --overwrite to make it again",
        code="predict.altered",
        path=path,
    )
