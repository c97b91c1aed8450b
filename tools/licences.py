"""List the licences of everything that `pip install samplar` brings; 1 if one is copyleft.

A licence that asks for the source of what is linked with it would bind a hospital's or a maker's
own code. Licences that ask it for their own files only (MPL) are listed and let through.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

COPYLEFT = re.compile(
    r"\b[AL]?GPL|GNU (Lesser |Affero |Library )?General Public|\bSSPL|\bEUPL|CC-BY-NC|"
    r"CC-BY-SA|Commons Clause|Business Source",
    re.IGNORECASE,
)
LONGEST = 60


def runtime(name: str = "samplar") -> dict[str, metadata.Distribution]:
    """Return what a distribution needs at run time, and what that needs, by name."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [name]
    while waiting:
        distribution = metadata.distribution(waiting.pop())
        key = distribution.metadata["Name"].lower()
        if key not in found:
            found[key] = distribution
            waiting += _needs(distribution)
    del found[name]
    return dict(sorted(found.items()))


def _needs(distribution: metadata.Distribution) -> Iterator[str]:
    for text in distribution.requires or ():
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            yield wanted.name


def licence(distribution: metadata.Distribution) -> str:
    """Return a licence as stated: the expression, else the classifiers, else the first line."""
    stated = distribution.metadata
    if stated.get("License-Expression"):
        return str(stated["License-Expression"])
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in stated.get_all("Classifier") or ()
        if line.startswith("License :: ") and not line.endswith("OSI Approved")
    ]
    text = (stated.get("License") or "").strip().splitlines()
    return ", ".join(classifiers) or (text[0][:LONGEST] if text else "none stated")


def forbidden(text: str) -> bool:
    """Say whether a licence is copyleft, or is not stated; of alternatives one may be chosen."""
    return (
        any(
            all(COPYLEFT.search(choice) for choice in re.split(r"\bOR\b", part))
            for part in re.split(r"\bAND\b", text)
        )
        or text == "none stated"
    )


def main() -> int:
    """Print one line a distribution."""
    listed = {name: (d.version, licence(d)) for name, d in runtime().items()}
    for name, (version, text) in listed.items():
        mark = "REFUSED " if forbidden(text) else ""
        sys.stdout.write(f"{name} {version}: {mark}{text}\n")
    bad = [name for name, (_, text) in listed.items() if forbidden(text)]
    sys.stdout.write(f"{len(listed)} distributions, {len(bad)} refused\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
