"""A picture of what the synthesis makes, to be looked at before a long training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from samplar.io import overlay
from samplar.synthesis.draw import Draw, Look, Warp
from samplar.synthesis.samples import Samples
from samplar.synthesis.synthesizer import Synthesizer

TILE = 224
"""Pixels that a tile should be wide at least; smaller images are enlarged by a whole factor."""

BACKDROPS = {"own": "own background", "cross": "on {}", "cross_clean": "on {}, cleared"}


def contact_sheet(
    synthesizer: Synthesizer,
    *,
    close: Synthesizer | None = None,
    count: int,
    seed: int,
    columns: int = 6,
    class_names: Sequence[str] = (),
) -> np.ndarray:
    """Show the exemplars and then `count` synthetic images, all with their label outlines.

    Args:
        synthesizer: what to show.
        close: of close-ups of the same exemplars; they and half of the images are then shown last.
        count: of synthetic images; the exemplars take turns.
        seed: of the draws.
        columns: tiles per row.
        class_names: of class 1, 2, ... for the legend.

    Returns:
        (height, width, 3) uint8.
    """
    chance = torch.Generator().manual_seed(seed)
    fewer = 0 if close is None else count // 2
    tiles, captions = _shown(synthesizer, count - fewer, chance)
    if close is not None:
        closer, below = _shown(close, fewer, chance)
        tiles, captions = tiles + closer, captions + [f"close-up: {text}" for text in below]
    return overlay.contact_sheet(tiles, captions, columns=columns, legend=class_names)


def _shown(
    synthesizer: Synthesizer, count: int, chance: torch.Generator
) -> tuple[list[np.ndarray], list[str]]:
    """Return the exemplars and `count` synthetic images as tiles, and what to write under them."""
    originals = [Draw(exemplar=index) for index in range(len(synthesizer))]
    draws = synthesizer.draw([index % len(synthesizer) for index in range(count)], chance)
    captions = [f"exemplar {draw.exemplar + 1}" for draw in originals] + list(map(caption, draws))
    return _tiles(synthesizer.render([*originals, *draws])), captions


def caption(draw: Draw) -> str:
    """Say in a few words how an image was made; exemplars count from 1."""
    source = draw.exemplar + 1
    if draw.background == "none":
        untouched = draw.warp == Warp() and draw.look == Look()
        return f"{source}, {'untouched' if untouched else 'whole'}"
    pasted = len(draw.moves)
    what = "group" if pasted == 1 and len(draw.moves[0].classes) > 1 else f"{pasted} pasted"
    return f"{source}, {what}, {BACKDROPS[draw.background].format(draw.scene + 1)}"


def _tiles(samples: Samples) -> list[np.ndarray]:
    scale = max(1, round(TILE / samples.side))
    images = samples.images.permute(0, 2, 3, 1).cpu().numpy()
    labels = samples.labels.cpu().numpy()
    return [
        overlay.outline(image, classes, scale=scale)
        for image, classes in zip(images, labels, strict=True)
    ]
