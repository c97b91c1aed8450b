"""What a benchmark will cost: from its finished cells, and for the others from a taste."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import torch

from samplar.api.bench.data import Place
from samplar.api.bench.plan import Planned
from samplar.config.base import build
from samplar.config.bench import FULL
from samplar.config.fit import FitConfig
from samplar.errors import SamplarError
from samplar.evaluation.cell import Cell
from samplar.io.formats import read_image
from samplar.io.slicing import choose_plane, slicing_of
from samplar.methods.adapted import AdaptedSam
from samplar.methods.registry import load_method
from samplar.sam.device import chosen_device
from samplar.sam.precision import Precisions
from samplar.sam.weights import load_sam
from samplar.training.draws import pool_size
from samplar.training.estimate import estimate_fit

START = 6.0
"""Seconds of a cell before it computes: a process, torch, the weights, reading exemplars."""

DECODING = 0.4
"""Decoding a slice takes about this share of a training step for one image."""

TASTE = 2

SINGLE = Precisions("fp32", "fp32")


@dataclass
class Estimate:
    """Seconds of each cell that is still to be computed.

    Args:
        finished: the cells there are.
        device: where to compute.
    """

    finished: Sequence[Cell]
    device: str
    _tastes: dict[str, tuple[float, float]] = field(default_factory=dict)
    _slices: dict[str, int] = field(default_factory=dict)

    def seconds(self, cell: Planned) -> float:
        """Return what a cell will take: as its like did, or else as a taste of it says."""
        alike = [
            done.cost.total
            for done in self.finished
            if done.cost is not None
            and (done.key.dataset, done.key.method) == (cell.key.dataset, cell.key.method)
            and (done.key.k == FULL) == (cell.key.k == FULL)
        ]
        return fmean(alike) if alike else START + self._tasted(cell)

    def _tasted(self, cell: Planned) -> float:
        config = cell.config
        key = config.model_dump_json(include={"method", "method_config", "weights", "size"})
        classes = len(cell.place.dataset.labels)
        name = f"{key} {classes}"
        if name not in self._tastes:
            try:
                self._tastes[name] = taste(config, classes)
            except SamplarError:  # such as an extra that is missing: its cells will say so, at once
                self._tastes[name] = 0.0, 0.0
        encoding, step = self._tastes[name]
        predicting = self._scored_slices(cell) * (encoding + DECODING * step)
        if not step:
            return predicting
        training = config.training
        images = pool_size(config, cell.k if isinstance(cell.k, int) else training.pool)
        return images * encoding + training.iterations * training.batch * step + predicting

    def _scored_slices(self, cell: Planned) -> int:
        name = f"{cell.place.name} {cell.key.draw}"
        if name not in self._slices:
            self._slices[name] = count_slices(cell.place, cell.key.draw)
        return self._slices[name]


def taste(config: FitConfig, classes: int) -> tuple[float, float]:
    """Return seconds of the frozen encoder, and of a training step (0 if none), for one image."""
    method = load_method(config.method)
    sam = load_sam(config.weights, device=chosen_device(config.device))
    model = AdaptedSam(sam, method, build(method.config, config.method_config), classes)
    if method.card.trains:
        one = config.training.model_copy(update={"iterations": 1, "batch": TASTE})
        found = estimate_fit(model, one, images=1, size=config.size, precisions=SINGLE)
        return found.pool, found.training / TASTE
    image = torch.zeros(1, 3, config.size, config.size, device=sam.device)
    start = 0.0
    for _ in range(TASTE):  # the first pays for warming up
        start = time.perf_counter()
        with torch.inference_mode():
            sam.encode(image)
    return time.perf_counter() - start, 0.0


def count_slices(place: Place, draw: int) -> int:
    """Return how many slices are predicted for one cell."""
    wanted = set(place.sides[draw].scored)
    images = [read_image(c.images) for c in place.dataset.labelled if c.subject in wanted]
    if not images:
        return 0
    plane = place.config.plane
    if plane == "auto":
        plane = choose_plane([image.affine for image in images[:8]])
    return sum(image.shape[slicing_of(image, plane).axis] for image in images)


def by_set(cells: Iterable[Planned], seconds: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of each data set."""
    totals: dict[str, float] = {}
    for cell in cells:
        name = cell.key.dataset
        totals[name] = totals.get(name, 0.0) + seconds[cell.digest]
    return totals
