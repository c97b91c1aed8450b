"""What takes the place of the objects that training scripts pickle beside the weights.

Some published checkpoints (SAM-Med2D, MedSAM's training files) hold their optimiser as an object.
The restricted unpickler refuses its class. Under these stand-ins the file can be read for its
tensors: the names lead to things of ours that keep nothing and do nothing, and none of the code
that the names stand for is reached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Inert:
    """An object that forgets what it is given."""

    def __setstate__(self, state: object) -> None:
        """Take the state and drop it."""


def empty_table(*_: object) -> dict[Any, Any]:
    """Return a plain dictionary, whatever was asked for."""
    return {}


STAND_INS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    *((Inert, f"torch.optim.{kind}") for kind in ("adam.Adam", "adamw.AdamW", "sgd.SGD")),
    (Inert, "builtins.dict"),
    (Inert, "__builtin__.dict"),
    (empty_table, "collections.defaultdict"),
]
"""Every stand-in with the name it is found under."""
