"""What methods there are, as rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from samplar.config.fit import FitConfig
from samplar.errors import UsageError
from samplar.methods.registry import cards, load_method

USUAL = int(FitConfig.model_fields["k"].default)
"""Exemplars of a fit, unless told otherwise."""


def list_methods(
    *, weights: str | None = None, classes: int = 1, only: str | None = None
) -> list[dict[str, Any]]:
    """Return one row per method, by name.

    Args:
        weights: base weights on which to count what each method trains, known ones also without
            their file; None leaves the count out and needs no torch. A method whose extra is not
            installed, or that cannot be put on such weights, has no count.
        classes: number of foreground classes to count for.
        only: the one method that is asked about.

    Raises:
        UsageError: `methods.*`, `weights.unknown`.
        WeightsError: a file of weights that cannot be used.
    """
    found = cards() if only is None else {only: load_method(only).card}
    counts = {} if weights is None else _trainable(found, weights, classes)
    return [
        {
            "name": card.name,
            "title": card.title,
            "paper": card.paper,
            "plugs_in": card.plugs_in,
            "prompts": card.prompts,
            "trainable_parameters": counts.get(name),
            "licence_note": card.licence_note,
        }
        for name, card in found.items()
    ]


def _trainable(names: Iterable[str], weights: str, classes: int) -> dict[str, int]:
    """Attach each method, with the settings of a fit unless told otherwise, to a model without
    numbers and count.
    """
    import copy

    from samplar.sam.weights import countable_sam

    empty = countable_sam(weights).requires_grad_(False)
    counts = {}
    for name in names:
        method, sam = load_method(name), copy.deepcopy(empty)
        try:
            method.attach(sam, method.settled(method.config(), USUAL), classes)
        except UsageError as error:
            if error.code not in ("methods.extra", "methods.plain_vit"):
                raise
            continue
        counts[name] = sum(p.numel() for p in sam.parameters() if p.requires_grad)
    return counts
