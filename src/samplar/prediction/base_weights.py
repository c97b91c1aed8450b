"""Whether the base weights on this machine are those that an adapter was made with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from samplar.errors import UsageError, WeightsError
from samplar.io.origins import is_remote
from samplar.sam.cards import WEIGHTS, WeightsCard
from samplar.sam.weights import find_card

if TYPE_CHECKING:
    from samplar.prediction.adapter import AdapterCard


def origin_of(weights: WeightsCard) -> dict[str, str]:
    """Return what an adapter keeps of weights besides their name and digest.

    A path on this machine is nobody's business elsewhere and is left out.
    """
    source = weights.source if weights.like and is_remote(weights.source) else ""
    return {"weights_source": source, "weights_like": weights.like}


def check_base(card: AdapterCard, place: Path) -> None:
    """Compare the digest and the pixel rule.

    Raises:
        UsageError: `weights.unknown`.
        WeightsError: `weights.absent`, where the adapter says how to get its weights;
            `adapter.base`.
    """
    known = _found(card, place)
    if known.sha256 != card.weights_sha256:
        raise WeightsError(
            f"was made with {card.weights} of digest {card.weights_sha256[:12]}, "
            f"but this {card.weights} has {known.sha256[:12]}",
            fix="Use the base weights the adapter was made with",
            code="adapter.base",
            path=place,
        )
    lender = WEIGHTS.get(card.weights_like)
    if card.weights_like and (lender is None or lender.pixels != known.pixels):
        raise WeightsError(
            f"was made with {card.weights} and the pixel rule of {card.weights_like}, "
            f"but this {card.weights} has that of {known.like}",
            fix=f"Add the same weights again with --like {card.weights_like}",
            code="adapter.base",
            path=place,
        )


def _found(card: AdapterCard, place: Path) -> WeightsCard:
    try:
        return find_card(card.weights)
    except UsageError as error:
        if not card.weights_source:
            raise
        raise WeightsError(
            f"was made with {card.weights}, which is not on this machine",
            fix=f"Run `samplar weights add {card.weights} {card.weights_source} "
            f"--like {card.weights_like}`",
            code="weights.absent",
            path=place,
        ) from error
