"""Which steps of the encoder a method taps."""

from __future__ import annotations

from samplar.config.base import Strict
from samplar.methods.contract import Method
from samplar.sam.model import Sam


def tapped_steps(sam: Sam, method: Method, config: Strict) -> list[int]:
    """Return the numbers of the steps that a method taps, asked while SAM is as it was."""
    if method.taps is None:
        return []
    names = [name for name, _ in sam.steps()]
    return [names.index(name) for name in method.taps(sam, config)]
