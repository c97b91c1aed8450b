"""Refits without some of the exemplars, so that these can be looked at as if they were new.

A model is too sure of what it was trained on. So the exemplars are dealt into folds by subject; for
each fold the model starts anew, trains for a while on the images of the pool in which no
exemplar of the fold has a part, and is shown. What the frozen prefix made of the pool is shared.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Integer
from torch import Tensor

from samplar.config.training import INDIFFERENT, TrainingConfig
from samplar.io.atomic import make_folder
from samplar.methods.adapted import AdaptedSam
from samplar.synthesis.samples import Samples
from samplar.training.loop import TrainingRun, train
from samplar.training.pool import Pool

FOLDER = "folds"
Show = Callable[[AdaptedSam, Sequence[int]], None]
"""Is given a model and the numbers of the exemplars that it has never seen."""


@dataclass
class PartOfPool(Pool):
    """Some rows of a pool, numbered anew; nothing is copied."""

    kept: Tensor

    def batch(self, rows: Integer[Tensor, " b"]) -> tuple[Tensor, Samples]:
        """Return activations and samples at these of the kept rows."""
        whole = Pool(self.samples, self.prefixes, self.draws)
        return whole.batch(self.kept[rows])


def without(pool: Pool, fold: Sequence[int]) -> PartOfPool | None:
    """Return the part of the pool in which no exemplar of the fold has a part; None if empty."""
    held = set(fold)
    kept = [n for n, d in enumerate(pool.draws) if not held & {d.exemplar, d.scene}]
    if not kept:
        return None
    return _part(pool, kept)


def whole_slices(pool: Pool) -> PartOfPool:
    """Return the part of the pool that shows slices whole, without the close-ups."""
    return _part(pool, [n for n, d in enumerate(pool.draws) if not d.roi])


def _part(pool: Pool, kept: Sequence[int]) -> PartOfPool:
    draws = [pool.draws[n] for n in kept]
    return PartOfPool(pool.samples, pool.prefixes, draws, torch.tensor(kept))


@dataclass(frozen=True)
class Refits:
    """What a refit needs besides the fold.

    Args:
        folds: numbers of exemplars, as `samplar.exemplars.folds` deals them.
        fresh: the state of the model before it was trained.
        run: of the whole training; a refit is shorter.
        config: of each refit; its checkpoints and all else are as in the whole training.
        show: is given each refitted model.
        on_step: told how many iterations of all refits are done.
    """

    folds: Sequence[Sequence[int]]
    fresh: Mapping[str, Tensor]
    run: TrainingRun
    config: TrainingConfig
    show: Show
    on_step: Callable[[int], None]


def refit(model: AdaptedSam, pool: Pool, refits: Refits) -> None:
    """Train the model anew for each fold and show it; in the end it is what it was before.

    A fold that has a part in every image of the pool is passed over. An interrupted refit goes on
    from its checkpoint, as the training itself does, and a finished one is not trained again until
    `forget_refits`.

    Raises:
        ResourceError: `training.not_finite`.
        OutputError: see `samplar.io.atomic`.
    """
    learnt = copied_state(model)
    for number, fold in enumerate(refits.folds):
        part = without(pool, fold)
        if part is None:
            continue
        model.load_adapter_state(refits.fresh, path="fresh")
        train(model, part, _shorter(refits, number, fold))
        refits.show(model, fold)
    model.load_adapter_state(learnt, path="learnt")


def forget_refits(run: Path) -> None:
    """Remove what the refits of a run have kept in its folder."""
    shutil.rmtree(run / FOLDER, ignore_errors=True)


def copied_state(model: AdaptedSam) -> dict[str, Tensor]:
    """Return a copy of what a model holds now, to begin from again."""
    return {name: tensor.clone() for name, tensor in model.adapter_state().items()}


def _shorter(refits: Refits, number: int, fold: Sequence[int]) -> TrainingRun:
    run, before = refits.run, number * refits.config.iterations
    decisive = refits.config.model_dump(mode="json", exclude=set(INDIFFERENT))
    parts = [run.digest, decisive, list(fold)]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    # A run may go on with other settings of `trust`: then its refits are others, trained anew.
    folder = run.folder / FOLDER / f"{number}-{digest[:12]}"
    make_folder(folder)
    return replace(
        run,
        config=refits.config,
        folder=folder,
        digest=digest,
        on_step=lambda done, _loss: refits.on_step(before + done),
    )
