"""The card of weights samplar does not know: sizes from the tensors, a pixel rule borrowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from samplar.errors import WeightsError
from samplar.sam.cards import WEIGHTS, WeightsCard
from samplar.sam.model import SamShape, empty_sam
from samplar.sam.recognise import shape_of


def card_of(state: Mapping[str, Tensor], path: Path, *, like: str = "") -> WeightsCard:
    """Return a card for tensors under their published names.

    Args:
        state: the tensors.
        path: where they lie; the card's name, title and source until somebody knows better.
        like: the known weights that lend their pixel rule; "" for those of the same sizes, or of
            the same kind. MedSAM has the sizes of SAM ViT-B: it has to be named.

    Raises:
        WeightsError: `weights.architecture`.
    """
    shape = shape_of(state)
    if shape is None:
        raise WeightsError(
            "holds no image encoder that samplar knows: expected a SAM with a ViT or a TinyViT "
            f"encoder, found {len(state)} tensors{_first(state)}",
            fix="Use weights in one of these layouts; `samplar weights list` names them",
            code="weights.architecture",
            path=path,
        )
    found = _nearest(shape)
    lender = WEIGHTS[like] if like else found
    return WeightsCard(
        name=str(path),
        title=path.name,
        source=str(path),
        licence="unknown",
        sha256="",
        shape=found.shape,
        parameters=sum(p.numel() for p in empty_sam(found.shape).parameters()),
        pixels=lender.pixels,
        like=lender.name,
    )


def _nearest(shape: SamShape) -> WeightsCard:
    """Return the known weights of these sizes, or the first of this kind and stride with them."""
    for card in WEIGHTS.values():
        if card.shape == replace(shape, image_size=card.image_size):
            return card
    kind, stride = type(shape.encoder), shape.encoder.stride
    same = [card for card in WEIGHTS.values() if isinstance(card.shape.encoder, kind)]
    return replace(min(same, key=lambda c: c.shape.encoder.stride != stride), shape=shape)


def _first(state: Mapping[str, Tensor]) -> str:
    return f", {', '.join(list(state)[:3])}, ..." if state else ""
