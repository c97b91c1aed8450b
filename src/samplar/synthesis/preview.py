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
    count: int,
    seed: int,
    columns: int = 6,
    class_names: Sequence[str] = (),
) -> np.ndarray:
    """Show the exemplars and then `count` synthetic images, all with their label outlines.

    Args:
        synthesizer: what to show.
        count: of synthetic images; the exemplars take turns.
        seed: of the draws.
        columns: tiles per row.
        class_names: of class 1, 2, ... for the legend.

    Returns:
        (height, width, 3) uint8.
    """
    originals = [Draw(exemplar=index) for index in range(len(synthesizer))]
    turns = [index % len(synthesizer) for index in range(count)]
    draws = synthesizer.draw(turns, torch.Generator().manual_seed(seed))
    tiles = _tiles(synthesizer.render([*originals, *draws]))
    captions = [f"exemplar {draw.exemplar + 1}" for draw in originals] + list(map(caption, draws))
    return overlay.contact_sheet(tiles, captions, columns=columns, legend=class_names)


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
