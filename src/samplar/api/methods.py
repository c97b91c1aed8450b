"""What methods there are, as rows."""

from __future__ import annotations

from typing import Any

from samplar.methods.registry import cards, load_method


def list_methods(*, weights: str | None = None, classes: int = 1) -> list[dict[str, Any]]:
    """Return one row per method, by name.

    Args:
        weights: base weights on which to count what each method trains; None leaves the count out
            and needs no torch.
        classes: number of foreground classes to count for.

    Raises:
        UsageError: `methods.*`, `weights.unknown`.
        WeightsError: the weights cannot be loaded.
    """
    counts = {} if weights is None else _trainable(weights, classes)
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
        for name, card in cards().items()
    ]


def _trainable(weights: str, classes: int) -> dict[str, int]:
    """Attach each method, with its default settings, to a copy of the real model and count."""
    import copy

    from samplar.methods.adapted import AdaptedSam
    from samplar.sam.weights import load_sam

    sam = load_sam(weights)
    counts = {}
    for name in cards():
        method = load_method(name)
        model = AdaptedSam(copy.deepcopy(sam), method, method.config(), classes)
        counts[name] = sum(parameter.numel() for parameter in model.trained().values())
    return counts
