"""exemplars.yaml: which slices are the exemplars, readable, editable, and checked when used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from samplar.config.base import Strict, build
from samplar.errors import InputError
from samplar.exemplars.choose import Strategy
from samplar.exemplars.exemplar import ExemplarSet
from samplar.io.atomic import write_bytes
from samplar.io.documents import read_yaml, write_yaml_text
from samplar.io.spelling import one_spelling
from samplar.io.wording import few


class ManifestEntry(Strict):
    """One exemplar; case and slice are enough.

    Attributes:
        case: id of the case.
        slice: slice number along the slicing axis, in file order, from 0.
        subject: the patient.
        digest: SHA-256 over image and labels, see `digest_of`.
    """

    case: str
    slice: Annotated[int, Field(ge=0, strict=True)]
    subject: str | None = None
    digest: str | None = None

    @field_validator("case", "subject", "digest", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        """Take a name of digits only, which YAML reads as a number, for the name it is."""
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return one_spelling(value) if isinstance(value, str) else value


class Manifest(Strict):
    """The exemplars of a run and how they were chosen.

    Attributes:
        exemplars: at least one, in the order chosen.
        strategy: how they were chosen; `all` if every labelled slice is listed, None if by hand.
        seed: the seed of that choice.
    """

    exemplars: tuple[ManifestEntry, ...]
    strategy: Literal[Strategy, "all"] | None = None
    seed: int | None = None

    @field_validator("exemplars")
    @classmethod
    def _not_empty(cls, value: tuple[ManifestEntry, ...]) -> tuple[ManifestEntry, ...]:
        """Check this last: a length constraint would also complain when one entry is wrong."""
        if not value:
            raise ValueError("list at least one exemplar")
        return value

    @classmethod
    def of(
        cls,
        exemplars: ExemplarSet,
        *,
        strategy: Literal[Strategy, "all"] | None = None,
        seed: int | None = None,
    ) -> Manifest:
        """Describe a set of exemplars."""
        entries = tuple(
            ManifestEntry(case=e.case, slice=e.slice, subject=e.subject, digest=e.digest)
            for e in exemplars.exemplars
        )
        return cls(exemplars=entries, strategy=strategy, seed=seed)

    @property
    def picks(self) -> list[tuple[str, int]]:
        """Case and slice of each exemplar."""
        return [(entry.case, entry.slice) for entry in self.exemplars]

    def verify(self, exemplars: ExemplarSet, *, path: Path | None = None) -> None:
        """Compare what was read now with what is written here; what is not written is not compared.

        Raises:
            InputError: `exemplars.changed`, naming each exemplar whose image or labels changed;
                `exemplars.subject` for one that is now of another subject.
        """
        now = {(e.case, e.slice): e for e in exemplars.exemplars}
        pairs = [(entry, now[entry.case, entry.slice]) for entry in self.exemplars]
        changed = [_name(old) for old, new in pairs if old.digest not in {None, new.digest}]
        if changed:
            raise InputError(
                f"{len(changed)} of {len(pairs)} exemplars changed since they were chosen: "
                f"{few(changed)}",
                fix="Bring back the old files, or choose again; editing a digest out accepts it",
                code="exemplars.changed",
                path=path,
            )
        moved = [_name(old) for old, new in pairs if old.subject not in {None, new.subject}]
        if moved:
            raise InputError(
                f"{len(moved)} of {len(pairs)} exemplars are of another subject now: {few(moved)}",
                fix="Correct index.csv or the list of exemplars",
                code="exemplars.subject",
                path=path,
            )


def read_manifest(path: Path) -> Manifest:
    """Read exemplars.yaml.

    Raises:
        InputError: `document.*`, `exemplars.shape`, `exemplars.repeated`.
        UsageError: `config.invalid`, naming every wrong key.
    """
    document = read_yaml(path)
    if not isinstance(document, dict) or "exemplars" not in document:
        raise InputError(
            "this is not a list of exemplars",
            fix="Write exemplars: and below it lines such as - {case: liver_01, slice: 42}",
            code="exemplars.shape",
            path=path,
        )
    manifest = build(Manifest, document, path=str(path))
    repeated = sorted({p for p in manifest.picks if manifest.picks.count(p) > 1})
    if repeated:
        listing = few([f"{case} slice {number}" for case, number in repeated])
        raise InputError(
            f"{len(repeated)} exemplars are listed more than once: {listing}",
            fix="Keep one line for each",
            code="exemplars.repeated",
            path=path,
        )
    return manifest


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write exemplars.yaml.

    Raises:
        OutputError: see `samplar.io.atomic`.
    """
    values = manifest.model_dump(exclude_none=True, mode="json")
    exemplars = values.pop("exemplars")
    write_bytes(path, write_yaml_text({**values, "exemplars": exemplars}).encode())


def _name(entry: ManifestEntry) -> str:
    return f"{entry.case} slice {entry.slice}"
