"""adapter.json as a file: small, strict, and sealed with a digest of its own.

A flipped bit in a class value or an intensity bound would otherwise give other labels without a
word. Adapters from before the seal are read as they are.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from samplar.errors import InputError, WeightsError
from samplar.io.documents import read_json

SEAL = "card_sha256"


def sealed(fields: dict[str, Any]) -> bytes:
    """Return the text of the file: the fields (plain JSON values), then the digest over them."""
    return (json.dumps({**fields, SEAL: _digest(fields)}, indent=1) + "\n").encode()


def unsealed(path: Path) -> dict[str, Any]:
    """Read the fields and take the digest off.

    Raises:
        WeightsError: `adapter.card`.
    """
    try:
        fields = read_json(path)
    except InputError as error:
        raise bad_card(error.problem, path) from error
    if not isinstance(fields, dict):
        raise bad_card("this is not a JSON object", path)
    stated = fields.pop(SEAL, None)
    found = _digest(fields)
    if stated is not None and stated != found:
        raise bad_card(f"has digest {found[:12]}, expected {str(stated)[:12]}", path)
    return fields


def bad_card(problem: str, path: Path) -> WeightsError:
    """Return the refusal of an adapter.json."""
    return WeightsError(
        f"is not an adapter card as it was written ({problem})",
        fix=f"Copy the adapter folder again, whole; an edit on purpose takes out {SEAL}",
        code="adapter.card",
        path=path,
    )


def _digest(fields: dict[str, Any]) -> str:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
