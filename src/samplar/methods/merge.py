"""From a SAM with a method on it to a plain one that computes the same."""

from __future__ import annotations

import copy
import re
from dataclasses import replace

from samplar.errors import UsageError
from samplar.methods.lora import remove_lora
from samplar.sam.model import Sam

_PER_TOKEN = re.compile(r"(?<=^mask_decoder\.output_hypernetworks_mlps\.)\d+")

Parts = frozenset[tuple[str, str]]
"""What a SAM is made of: names of modules, parameters and buffers, each with its type."""


def parts_of(sam: Sam) -> Parts:
    """Return what a SAM is made of; one stands for all the networks that the mask tokens have."""
    tables = (sam.named_modules(), sam.named_parameters(), sam.named_buffers())
    return frozenset(
        (_PER_TOKEN.sub("N", name), type(part).__name__) for table in tables for name, part in table
    )


def plain_copy(sam: Sam, base: Parts, *, method: str) -> Sam:
    """Return a frozen copy with its low-rank paths folded into the layers they sit on.

    Args:
        sam: left as it is.
        base: what it was made of before the method was put on it.
        method: named in the error.

    Raises:
        UsageError: `methods.merge`, when it is made of anything else even without those paths.
    """
    plain = copy.deepcopy(sam)
    remove_lora(plain, merge=True)
    plain.shape = replace(plain.shape, mask_tokens=len(plain.mask_decoder.mask_tokens.weight))
    unlike = sorted(parts_of(plain) ^ base)
    if unlike:
        raise UsageError(
            f"{method} changes what SAM is made of, first of all {unlike[0][0]}, and no plain SAM "
            "can hold that",
            fix="Use the adapter as it is",
            code="methods.merge",
        )
    return plain.requires_grad_(False)
