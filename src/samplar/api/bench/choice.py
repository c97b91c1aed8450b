"""The exemplars of every draw, chosen once and listed in a file that all methods are given."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from samplar.api.bench.data import slug
from samplar.api.bench.plan import Planned
from samplar.api.bench.results import Results
from samplar.config.bench import FULL, BenchConfig
from samplar.config.fit import FitConfig
from samplar.errors import SamplarError
from samplar.exemplars.choose import Candidate
from samplar.exemplars.collect import collect_exemplars, list_candidates
from samplar.exemplars.manifest import Manifest, write_manifest
from samplar.io.dataset import Dataset, read_dataset
from samplar.io.view import View
from samplar.sam.device import chosen_device
from samplar.sam.model import Sam
from samplar.sam.weights import load_sam
from samplar.training.embed import embed_candidates
from samplar.training.fit import Told
from samplar.training.prepare import choose_view, pick_exemplars


@dataclass
class Choice:
    """Chooses exemplars; what was looked at for one draw is not looked at again for the next.

    Args:
        bench: the benchmark.
        results: where the lists are kept; one that is there is not made again.
        told: whom to tell how far it is.
    """

    bench: BenchConfig
    results: Results
    told: Told
    _sam: Sam | None = None
    _seen: dict[tuple[Path, str, int], np.ndarray] = field(default_factory=dict)
    _pools: dict[Path, tuple[Dataset, View]] = field(default_factory=dict)
    _refused: dict[str, SamplarError] = field(default_factory=dict)

    def file_for(self, cell: Planned) -> Path:
        """Return the list of exemplars of a cell, made if it is not there yet.

        Raises:
            SamplarError: such as `exemplars.too_few`; for every cell of that choice alike.
        """
        name = self._name(cell)
        path = self.results.area("exemplars") / f"{name}.yaml"
        if name in self._refused:
            raise self._refused[name]
        if not path.exists():
            try:
                write_manifest(path, self._chosen(cell))
            except SamplarError as error:
                self._refused[name] = error
                raise
        return path

    def split_for(self, cell: Planned) -> Path:
        """Return the split file of a cell's draw."""
        return cell.place.split_file(self.results.area("splits"), cell.key.draw)

    def _name(self, cell: Planned) -> str:
        seen = cell.place.config.model_dump(include={"plane", "intensity", "channels"})
        decisive = [cell.settings["choice"], cell.settings["pool"], seen]
        digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
        return f"{slug(cell.place.name)}--k{cell.k}-d{cell.key.draw}--{digest[:10]}"

    def _chosen(self, cell: Planned) -> Manifest:
        draw = cell.key.draw
        config = cell.config.model_copy(
            update={
                "strategy": "all" if cell.k == FULL else self.bench.strategy,
                "k": 1 if cell.k == FULL else cell.k,
                "seed": draw,
                "weights": self.bench.weights,
            }
        )
        dataset, view = self._pool(cell, config)
        if cell.k == FULL and self.bench.full_slices is not None:
            return _sample(dataset, view, self.bench.full_slices, draw)

        def embed(candidates: list[Candidate], view: View) -> np.ndarray:
            return self._embedded(cell, dataset, candidates, view)

        return pick_exemplars(dataset, view, config, embed=embed)[1]

    def _pool(self, cell: Planned, config: FitConfig) -> tuple[Dataset, View]:
        split = self.split_for(cell)
        if split not in self._pools:
            dataset = read_dataset(cell.place.dataset.root, split=split, subset="pool")
            self._pools[split] = dataset, choose_view(dataset, config)
        return self._pools[split]

    def _embedded(
        self, cell: Planned, dataset: Dataset, candidates: list[Candidate], view: View
    ) -> np.ndarray:
        split = self.split_for(cell)  # another pool may be seen by another rule for intensities

        def key(candidate: Candidate) -> tuple[Path, str, int]:
            return split, candidate.case, candidate.slice

        new = [candidate for candidate in candidates if key(candidate) not in self._seen]
        if new:
            self.told.stage(f"looking at slices of {cell.place.name}", len({c.case for c in new}))
            device = chosen_device(self.bench.device)
            if self._sam is None:
                self._sam = load_sam(self.bench.weights, device=device)
            rows = embed_candidates(self._sam, dataset, new, view, on_case=self.told.step)
            self._seen |= {key(candidate): row for candidate, row in zip(new, rows, strict=True)}
        return np.stack([self._seen[key(candidate)] for candidate in candidates])


def _sample(dataset: Dataset, view: View, count: int, draw: int) -> Manifest:
    """List a random part of all labelled slices, those without foreground among them."""
    found = list_candidates(dataset, plane=view.plane)
    kept = sorted(np.random.default_rng(draw).permutation(len(found))[:count])
    exemplars = collect_exemplars(
        dataset,
        [(found[i].case, found[i].slice) for i in kept],
        plane=view.plane,
        rule=view.rule,
        channels=view.channels,
    )
    return Manifest.of(exemplars, strategy="all", seed=draw)
