"""Where weights of the user's own come from: a file, a folder, an https address or the hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from samplar.errors import WeightsError
from samplar.io.assets import retrieve
from samplar.io.bundle import AssetFile, Bundle
from samplar.io.hub import download
from samplar.io.hub_address import hub_address, is_hub
from samplar.io.hub_repository import LIMIT
from samplar.io.weight_files import weights_in
from samplar.io.wheel import Progress


@dataclass(frozen=True)
class Brought:
    """Weights that are on this machine now, not looked into.

    Args:
        path: their file, or the index of several.
        source: where they are from; on the hub with the commit.
        revision: hash of that commit, or "".
        licence: as stated where they come from, or `unknown`.
    """

    path: Path
    source: str
    revision: str = ""
    licence: str = "unknown"


def is_remote(source: str) -> bool:
    """Say whether bringing it needs the network."""
    return is_hub(source) or source.startswith("https://")


def whole(source: str) -> str:
    """Return a source as it can be used from any folder."""
    return source if is_remote(source) else str(Path(source).expanduser().absolute())


def bring(name: str, source: str, folder: Path, *, on_progress: Progress | None = None) -> Brought:
    """Have weights on this machine; what has to be downloaded goes into a folder.

    Args:
        name: what they will be called, for the advice in errors.
        source: a file, a folder, an https address, or an address on the hub.
        folder: for downloads; the caller removes it.
        on_progress: called with (bytes so far, bytes in all).

    Raises:
        UsageError, WeightsError, OutputError: as `samplar.io.assets.fetch`,
            `samplar.io.hub.download` and `samplar.io.weight_files.weights_in`.
    """
    if is_hub(source):
        address = hub_address(source)
        found = download(address, folder, name=name, on_progress=on_progress)
        return Brought(found.path, str(address.at(found.commit)), found.commit, found.licence)
    if source.startswith("https://"):
        return Brought(_from_web(name, source, folder, on_progress), source)
    return Brought(local_weights(whole(source)), whole(source))


def local_weights(source: str) -> Path:
    """Return the file of weights, or the index of several, at a path.

    Raises:
        WeightsError: `weights.missing`, `weights.member` or `weights.ambiguous`.
    """
    path = Path(source)
    if not path.exists():
        raise WeightsError(
            "there is no such file or folder",
            fix="Give a file or folder, an https address, or hub:OWNER/REPO",
            code="weights.missing",
            path=path,
        )
    found = weights_in(path) if path.is_dir() else path
    if found is None:
        raise WeightsError(
            "found no file of weights in it",
            fix="Give the file itself, or a folder with model.safetensors",
            code="weights.member",
            path=path,
        )
    return found


def _from_web(name: str, source: str, folder: Path, on_progress: Progress | None) -> Path:
    file = AssetFile(PurePosixPath(urlsplit(source).path).name or "weights", None, LIMIT)
    by_hand = f"samplar weights add {name} FILE"
    bundle = Bundle(name, "weights", files=(file,), origin=source, by_hand=by_hand)
    return retrieve(bundle, folder, on_progress=on_progress)[file.name]
