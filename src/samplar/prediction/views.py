"""Seeing a slice more than once: test-time augmentation by size."""

from __future__ import annotations

from collections.abc import Iterable

from samplar.methods.adapted import AdaptedSam

SMALLER = (0.875,)
"""What `tta` means for a method that names no views of its own."""


def further_frames(model: AdaptedSam, size: int, *, tta: bool | None) -> tuple[int, ...]:
    """Return the sides of the frames in which a slice is seen besides the frame of `size`.

    Args:
        model: its method may name views.
        size: side of the frame the model was trained in.
        tta: True or False to insist; None for what the method does.
    """
    own = model.method.views
    shares = own if tta is None else (own or SMALLER) if tta else ()
    return _sides(shares, size, model.sam.stride)


def _sides(shares: Iterable[float], size: int, stride: int) -> tuple[int, ...]:
    """Return the multiples of the stride nearest to these shares, each once, without `size`."""
    sides = (max(1, round(share * size / stride)) * stride for share in shares)
    return tuple(dict.fromkeys(side for side in sides if side != size))
