"""How weights on the Hugging Face hub are named: `hub:OWNER/REPO[/FILE][@REVISION]`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from samplar.errors import UsageError

PREFIX = "hub:"
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_ADDRESS = re.compile(rf"hub:({_PART}/{_PART})((?:/{_PART})*)(?:@([A-Za-z0-9_][A-Za-z0-9_./-]*))?")


@dataclass(frozen=True)
class HubAddress:
    """One repository of models.

    Args:
        repository: `OWNER/REPO`.
        file: path of the weights in it, or "" to find them by their usual names.
        revision: a branch, tag or commit, or "" for the newest on the main branch.
    """

    repository: str
    file: str = ""
    revision: str = ""

    def __str__(self) -> str:
        """As users write it."""
        file = f"/{self.file}" if self.file else ""
        revision = f"@{self.revision}" if self.revision else ""
        return f"{PREFIX}{self.repository}{file}{revision}"

    def at(self, commit: str) -> HubAddress:
        """Return the address of the same at one commit."""
        return replace(self, revision=commit)

    @property
    def command(self) -> str:
        """The line that downloads it by hand, with the hub's own client."""
        file = f" {self.file}" if self.file else ""
        revision = f" --revision {self.revision}" if self.revision else ""
        return f"hf download {self.repository}{file}{revision} --local-dir FOLDER"


def is_hub(source: object) -> bool:
    """Say whether a source of weights is meant as an address on the hub."""
    return str(source).startswith(PREFIX)


def hub_address(text: str) -> HubAddress:
    """Take an address apart.

    Raises:
        UsageError: `weights.hub_address`.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{text!r} is no address on the hub",
            fix="Expected is hub:OWNER/REPO, hub:OWNER/REPO/FILE or either with @REVISION",
            code="weights.hub_address",
        )
    repository, file, revision = found.groups(default="")
    return HubAddress(repository, file.removeprefix("/"), revision)
