"""Fetching weights from the Hugging Face hub with its own client, when the user asks for it.

The client is the extra `hub`, imported here and nowhere else. Its rules hold: `HF_ENDPOINT`,
`HF_TOKEN`, `HF_HOME` and what is in the cache there already. Only files of weights are taken, at
the commit that the revision was when asked, and never any code.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from samplar.errors import WeightsError
from samplar.io.hub_address import HubAddress
from samplar.io.hub_errors import by_hand, hub_errors
from samplar.io.hub_repository import Repository
from samplar.io.shards import is_index, shard_of
from samplar.io.wheel import Progress

if TYPE_CHECKING:
    from huggingface_hub.hf_api import HfApi, ModelInfo

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class FromHub:
    """What was fetched.

    Args:
        path: the file of weights, or the index of several.
        commit: hash of the commit it was in.
        licence: as the repository states it, or `unknown`.
    """

    path: Path
    commit: str
    licence: str


def download(
    address: HubAddress, folder: Path, *, name: str, on_progress: Progress | None = None
) -> FromHub:
    """Download the weights of a repository into a folder.

    Args:
        address: which repository, file and revision.
        folder: is made if it is not there.
        name: what the weights will be called here, for the advice in errors.
        on_progress: called with (bytes so far, bytes in all).

    Raises:
        UsageError: `weights.hub_address`, when the hub does not take the name.
        WeightsError: `weights.no_hub`, `weights.hub_absent`, `weights.gated`, `weights.token`,
            `weights.offline`, `weights.member`, `weights.ambiguous`, `weights.shards`,
            `weights.damaged` or `weights.digest`.
        OutputError: `output.disk_full`.
    """
    api = _client(address, name)
    with _quiet(), hub_errors(address, folder, name=name):
        info = api.model_info(
            address.repository,
            revision=address.revision or None,
            files_metadata=True,
            timeout=TIMEOUT_SECONDS,
        )
        repository = Repository(api, address, info, folder)
        chosen = repository.chosen()
        path = repository.take([chosen], None if is_index(Path(chosen)) else on_progress)[0]
        if is_index(path):
            above = chosen.removesuffix(path.name)
            files = sorted(set(shard_of(path).values()))
            repository.take([above + file for file in files], on_progress)
        return FromHub(path, str(info.sha), _licence(info))


def _client(address: HubAddress, name: str) -> HfApi:
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise WeightsError(
            f"{address} is fetched with the package huggingface_hub, which is not installed",
            fix=f"Run `python -m pip install 'samplar[hub]'`. Or: {by_hand(address, name)}",
            code="weights.no_hub",
        ) from error
    return HfApi()


def _licence(info: ModelInfo) -> str:
    stated = info.card_data.get("license") if info.card_data is not None else None
    return stated if isinstance(stated, str) else "unknown"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the client's own remarks off stderr, where errors have one line."""
    from huggingface_hub.utils import logging as remarks

    level = remarks.get_verbosity()
    remarks.set_verbosity(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        remarks.set_verbosity(level)
