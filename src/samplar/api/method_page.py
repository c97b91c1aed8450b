"""The page of one method: its card, and what is not as in the paper."""

from __future__ import annotations

from typing import Any

from samplar.api.methods import list_methods
from samplar.methods.contract import Card
from samplar.methods.registry import load_method


def describe_method(
    name: str, *, weights: str | None = None, classes: int = 1
) -> tuple[dict[str, Any], str]:
    """Return what is known of a method as a row, and as a page in Markdown.

    Args:
        name: of the method.
        weights: base weights on which to count what it trains, or None.
        classes: number of foreground classes to count for.

    Raises:
        UsageError: `methods.*`, `weights.unknown`.
        WeightsError: a file of weights that cannot be used.
    """
    (row,) = list_methods(weights=weights, classes=classes, only=name)
    card = load_method(name).card
    differs = [{"what": what, "why": why} for what, why in card.differs]
    return {**row, "differs": differs}, "\n".join(_page(card, _trained(row, weights, classes)))


def _trained(row: dict[str, Any], weights: str | None, classes: int) -> list[str]:
    if weights is None or row["trainable_parameters"] is None:
        return []
    kinds = "1 class" if classes == 1 else f"{classes} classes"
    return [f"| trains on {weights}, {kinds} | {row['trainable_parameters']:,} numbers |"]


def _page(card: Card, trained: list[str]) -> list[str]:
    lines = [
        f"# {card.name}",
        "",
        f"{card.title}.",
        "",
        "| | |",
        "|---|---|",
        f"| source | {card.paper} |",
        f"| plugs into | {card.plugs_in} |",
        f"| prompts in use | {card.prompts} |",
        f"| licence | {card.licence_note} |",
        *trained,
        "",
    ]
    if card.oracle:
        lines += [
            "An oracle reads the truth of the image that it segments: for comparison only.",
            "",
        ]
    if card.differs:
        lines += ["## What is not as in the paper, and why", ""]
    for what, why in card.differs:
        lines += [f"**{what}** {why}", ""]
    return lines
