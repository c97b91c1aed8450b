"""What several methods do otherwise than their papers, with the reason, as their cards say it."""

from __future__ import annotations

ADAPTERS_START_AT_ZERO = (
    "Adapters start at zero.",
    "The published ones start at random, so that training begins away from SAM. "
    "`start: random` does the same.",
)

ALL_PARTS_IN_ONE_BOX = (
    "Boxes of a structure, not of its largest connected part.",
    "A class of a data set may have several parts, and all of them are to be found.",
)
