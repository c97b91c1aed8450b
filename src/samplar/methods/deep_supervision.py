"""Deep supervision: several outputs of one pass, each compared with the same labels."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Integer
from torch import Tensor

from samplar.methods.contract import Pass


def supervised(
    final: Float[Tensor, "b k i j"],
    others: Sequence[tuple[float, Tensor]],
    labels: Integer[Tensor, "b h w"],
) -> Pass:
    """Return one pass over the final output, of weight 1, and the others with their weights.

    The others are (b, k, u, v), each on a grid of its own, where it gets the labels. One of weight
    0 is left out.
    """
    also = [Pass(output, labels, weight=weight) for weight, output in others if weight]
    return Pass(final, labels, also=tuple(also))
