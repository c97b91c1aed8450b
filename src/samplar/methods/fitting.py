"""Which base weights a method can be put on, told before anything is loaded."""

from __future__ import annotations

from samplar.errors import UsageError
from samplar.methods.contract import Card
from samplar.sam.cards import WeightsCard


def check_encoder(card: Card, base: WeightsCard) -> None:
    """Refuse weights whose image encoder is not of the kind that the method needs.

    Raises:
        UsageError: `methods.plain_vit`.
    """
    if not card.fits(base.architecture):
        raise UsageError(
            f"{card.name} needs SAM's own image encoder, a plain ViT, and {base.name} is a TinyViT",
            fix="Use sam-vit-b, medsam-vit-b or other weights of a plain ViT, or leave the method "
            "out",
            code="methods.plain_vit",
        )
