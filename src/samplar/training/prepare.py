"""Before training: how the volumes are seen, and which slices become exemplars."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from samplar.config.fit import FitConfig
from samplar.exemplars.choose import Candidate, choose
from samplar.exemplars.collect import collect_exemplars, list_candidates
from samplar.exemplars.exemplar import ExemplarSet
from samplar.exemplars.manifest import Manifest, read_manifest
from samplar.io.dataset import Dataset
from samplar.io.formats import read_image
from samplar.io.intensity import (
    RAISED_CT,
    SOFT_TISSUE_RAISED,
    agreed_rule,
    is_raised_ct,
    parse_rule,
    rule_for,
)
from samplar.io.slicing import choose_plane
from samplar.io.view import View

LOOKED_AT = 8
"""Images read to choose the plane and the intensity rule when those are not given."""

EMBEDDED = 256
"""Slices among which `diverse` chooses, at most: a random sample spread over the subjects, so that
a large pool costs no more time than a small one."""

Embed = Callable[[list[Candidate], View], np.ndarray]


def choose_view(
    dataset: Dataset, config: FitConfig, *, note: Callable[[str], None] | None = None
) -> View:
    """Return the view the settings ask for; `auto` is decided on the first few labelled images.

    `note` is told if another rule than the one of `auto` seems to suit them.
    """
    volumes = [read_image(case.images) for case in dataset.labelled[:LOOKED_AT]]
    plane = config.plane
    if plane == "auto":
        plane = choose_plane([volume.affine for volume in volumes])
    if config.intensity == "auto":
        rule = agreed_rule(rule_for(volume) for volume in volumes)
        if note is not None and all(is_raised_ct(volume.array) for volume in volumes):
            note(
                f"the images look like {RAISED_CT}; --intensity {SOFT_TISSUE_RAISED} may do better"
            )
    else:
        rule = parse_rule(config.intensity)
    return View(plane, rule, config.channels)


def pick_exemplars(
    dataset: Dataset, view: View, config: FitConfig, *, embed: Embed, around: int = 0
) -> tuple[ExemplarSet, Manifest]:
    """Return the exemplars, chosen or as `config.exemplars` lists them, and their record.

    Args:
        dataset: the side of the split that exemplars may come from.
        view: how volumes are seen.
        config: says how many and how, or names the file.
        embed: embeddings of candidates, called for the `diverse` strategy only.
        around: neighbours on each side that the method sees a slice with.
    """
    if config.exemplars is not None:
        return _listed(dataset, view, config.exemplars, around)
    chosen = _chosen(dataset, view, config, embed=embed)
    picks = [(candidate.case, candidate.slice) for candidate in chosen]
    exemplars = collect_exemplars(
        dataset,
        picks,
        plane=view.plane,
        rule=view.rule,
        channels=view.channels,
        around=around,
    )
    return exemplars, Manifest.of(exemplars, strategy=config.strategy, seed=config.seed)


def _chosen(dataset: Dataset, view: View, config: FitConfig, *, embed: Embed) -> list[Candidate]:
    found = list_candidates(dataset, plane=view.plane)
    if config.strategy == "all":
        return found
    embeddings = None
    if config.strategy == "diverse":
        shown = sum(1 for candidate in found if candidate.classes)
        enough = max(config.k, min(EMBEDDED, shown))
        found = choose(found, enough, strategy="random", seed=config.seed)
        embeddings = embed(found, view)
    return choose(
        found, config.k, strategy=config.strategy, seed=config.seed, embeddings=embeddings
    )


def _listed(dataset: Dataset, view: View, path: Path, around: int) -> tuple[ExemplarSet, Manifest]:
    manifest = read_manifest(path)
    exemplars = collect_exemplars(
        dataset,
        manifest.picks,
        plane=view.plane,
        rule=view.rule,
        channels=view.channels,
        around=around,
    )
    manifest.verify(exemplars, path=path)
    return exemplars, manifest
