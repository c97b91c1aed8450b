"""One repository of the hub at one commit: finding its files of weights and getting them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samplar.errors import WeightsError
from samplar.io.cache import sha256_of
from samplar.io.hub_address import HubAddress
from samplar.io.weight_files import candidates
from samplar.io.wheel import Progress
from samplar.io.wording import few

if TYPE_CHECKING:
    from huggingface_hub.hf_api import HfApi, ModelInfo, RepoSibling

LIMIT = 8_000_000_000
"""Bytes; SAM ViT-H in double precision has 5.1 GB."""


@dataclass(frozen=True)
class Repository:
    """One repository as it was at one commit, and the folder its files are put into."""

    api: HfApi
    address: HubAddress
    info: ModelInfo
    folder: Path

    @property
    def listed(self) -> Mapping[str, RepoSibling]:
        """What the hub says of every file, by its path."""
        return {file.rfilename: file for file in self.info.siblings or ()}

    def chosen(self) -> str:
        """Return the path of the weights, or of their index."""
        asked = self.address.file
        found = candidates(n for n in self.listed if (n == asked if asked else "/" not in n))
        if len(found) == 1:
            return found[0]
        raise WeightsError(
            f"{self.address} holds {len(found)} files of weights: {few(found)}"
            if found
            else f"{self.address} holds no weights; its files are {few(sorted(self.listed))}",
            fix=f"Name the file: hub:{self.address.repository}/FILE",
            code="weights.ambiguous" if found else "weights.member",
        )

    def take(self, names: list[str], on_progress: Progress | None) -> list[Path]:
        """Download files and compare each with what the hub says of it."""
        absent = [name for name in names if name not in self.listed]
        if absent:
            raise WeightsError(
                f"{self.address} lacks {few(absent)}, which its index names",
                fix="Tell its owner, or give another revision after an @",
                code="weights.shards",
            )
        sizes = [self.listed[name].size or 0 for name in names]
        if sum(sizes) > LIMIT:
            raise WeightsError(
                f"{self.address} has {sum(sizes):,} bytes of weights, more than {LIMIT:,}",
                fix="Give the repository of a SAM",
                code="weights.damaged",
            )
        return [
            self._one(name, partial(_tell, on_progress, sum(sizes[:number]), sum(sizes)))
            for number, name in enumerate(names)
        ]

    def _one(self, name: str, on_bytes: Callable[[int], None]) -> Path:
        local = self.api.hf_hub_download(
            self.address.repository,
            name,
            revision=self.info.sha,
            local_dir=self.folder,  # no second copy stays in HF_HOME, but what is there is used
            tqdm_class=byte_counter(on_bytes),
        )
        path, said = Path(local), self.listed[name]
        expected = said.lfs.sha256 if said.lfs is not None else None
        found = sha256_of(path) if expected else None
        if expected != found:
            raise WeightsError(
                f"{name} of {self.address} has sha256 {found}, but the hub says {expected}",
                fix="It is damaged, and was not used. Run the command again",
                code="weights.digest",
            )
        return path


def byte_counter(on_bytes: Callable[[int], None]) -> type:
    """Return a silent progress bar that says how many bytes of one file there are.

    The client may show two for a file, what came and what it made of it: the longer one counts.
    """
    from huggingface_hub.utils.tqdm import tqdm

    counts: dict[int, int] = {}

    class Counter(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            counts[id(self)] = counts.get(id(self), 0) + int(n or 0)
            on_bytes(max(counts.values()))

    return Counter


def _tell(on_progress: Progress | None, before: int, total: int, done: int) -> None:
    if on_progress is not None:
        on_progress(min(before + done, total), total)
