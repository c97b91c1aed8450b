"""Choose exemplars without fitting anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from samplar.config.fit import FitConfig
from samplar.exemplars.choose import Candidate
from samplar.exemplars.exemplar import ExemplarSet
from samplar.exemplars.manifest import Manifest
from samplar.io.dataset import Dataset, read_dataset
from samplar.io.overlay import contact_sheet, outline, png_bytes
from samplar.io.splits import Subset
from samplar.io.view import View
from samplar.training.fit import Told
from samplar.training.prepare import choose_view, pick_exemplars

TILE = 224
COLUMNS = 6


@dataclass(frozen=True)
class Chosen:
    """The data set they are from, how it is seen, the exemplars, and their record."""

    dataset: Dataset
    view: View
    exemplars: ExemplarSet
    manifest: Manifest


def choose_exemplars(config: FitConfig, *, told: Told) -> Chosen:
    """Choose exemplars exactly as `fit` would with these settings.

    Args:
        config: data set, how many, how chosen; base weights and size count for `diverse` only.
        told: whom to tell how far it is.

    Raises:
        SamplarError: what `fit` raises before it trains.
    """
    side: Subset | None = "pool" if config.split else None
    dataset = read_dataset(config.dataset, split=config.split, subset=side)
    view = choose_view(dataset, config)
    embed = _embedder(config, dataset, told)
    exemplars, manifest = pick_exemplars(dataset, view, config, embed=embed)
    return Chosen(dataset, view, exemplars, manifest)


def exemplar_sheet(exemplars: ExemplarSet) -> bytes:
    """Draw the exemplars with the outlines of their labels; return a PNG."""
    tiles, captions = [], []
    for number, exemplar in enumerate(exemplars.exemplars, start=1):
        image = np.moveaxis(exemplar.image, 0, -1)
        scale = max(1, round(TILE / max(image.shape[:2])))
        tiles.append(outline(image, exemplar.labels, scale=scale))
        captions.append(f"{number}: {exemplar.case}, slice {exemplar.slice}")
    columns = min(COLUMNS, len(tiles))
    return png_bytes(contact_sheet(tiles, captions, columns=columns, legend=exemplars.labels.names))


def _embedder(
    config: FitConfig, dataset: Dataset, told: Told
) -> Callable[[list[Candidate], View], np.ndarray]:
    """Return the embedding of candidates; the base weights are loaded once it is called."""

    def embed(candidates: list[Candidate], view: View) -> np.ndarray:
        from samplar.sam.device import chosen_device
        from samplar.sam.weights import load_sam
        from samplar.training.embed import embedder

        sam = load_sam(config.weights, device=chosen_device(config.device))
        embedded = embedder(sam, dataset, on_stage=told.stage, on_case=told.step)
        return embedded(candidates, view)

    return embed
