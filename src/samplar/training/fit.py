"""Adapting a SAM to exemplars: the pool, the loop, or for training-free methods the memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import torch

from samplar.config.fit import FitConfig
from samplar.config.training import TrainingConfig
from samplar.exemplars.exemplar import ExemplarSet
from samplar.exemplars.folds import subject_folds
from samplar.exemplars.roi import close_ups
from samplar.methods.adapted import AdaptedSam
from samplar.synthesis.samples import Samples
from samplar.training.draws import draw_pool
from samplar.training.folds import Refits, Show, copied_state, refit
from samplar.training.loop import TrainingRun, take_finished, train
from samplar.training.pool import fill_pool
from samplar.training.run import RunFolder
from samplar.training.tensors import as_samples, painted

FEWEST_STEPS = 50
"""Iterations of a refit, unless the training itself has fewer."""


@dataclass(frozen=True)
class Told:
    """Whom to tell how far it is.

    Args:
        stage: a stage begins: its name and how many steps it has.
        step: this many steps are done; the number after is the latest loss, if there is one.
        note: a line the user should see.
    """

    stage: Callable[[str, int], None]
    step: Callable[[int, float | None], None]
    note: Callable[[str], None]


def adapt(
    model: AdaptedSam,
    exemplars: ExemplarSet,
    config: FitConfig,
    run: RunFolder,
    *,
    precision: str,
    digest: str,
    told: Told,
    show: Show | None = None,
    roi: float | None = None,
) -> None:
    """Train the model, or let it remember, in place.

    Args:
        model: on the device to train on, not trained yet.
        exemplars: what to learn.
        config: how.
        run: the folder of the run.
        precision: fp32 or bf16.
        digest: of all that decides the result.
        told: whom to tell how far it is.
        show: is given models that have not seen some of the exemplars, with their numbers.
        roi: side of the close-ups to learn from besides, as a share of the longer side.

    Raises:
        ResourceError: `training.not_finite`, `training.exploded` or `training.memory`.
        OutputError: see `samplar.io.atomic`.
        InputError: `resume.other_run`.
    """
    samples = as_samples(exemplars, config.size)
    folds = [] if show is None else subject_folds(exemplars, config.trust.folds)
    if not model.method.card.trains:
        samples = painted(samples, model.sam.padding)
        for fold in folds:
            _remember(model, samples, [n for n in range(len(samples)) if n not in fold])
            if show is not None:
                show(model, fold)
        _remember(model, samples, range(len(samples)))
        return
    classes, training = len(exemplars.labels), config.training
    whole = TrainingRun(
        config=training,
        precision=precision,
        seed=config.seed,
        folder=run.path,
        digest=digest,
        on_step=told.step,
        on_note=told.note,
    )
    fresh = copied_state(model)
    finished = take_finished(model, whole)
    if finished and not folds:
        return
    close = None if roi is None else as_samples(close_ups(exemplars, roi), config.size)
    renderer, draws = draw_pool(samples, close, classes=classes, config=config)
    run.write_draws(draws)
    told.stage("synthesis and frozen encoder", len(draws))
    pool = fill_pool(
        model,
        renderer,
        draws,
        precision=precision,
        memory=training.memory,
        folder=run.path,
        on_image=lambda done: told.step(done, None),
    )
    told.stage("training", training.iterations)
    with closing(pool):
        if not finished:
            train(model, pool, whole)
        if show is not None and folds:
            short = refit_config(config)
            told.stage("calibration", len(folds) * short.iterations)
            further = Refits(folds, fresh, whole, short, show, lambda n: told.step(n, None))
            refit(model, pool, further)


def _remember(model: AdaptedSam, samples: Samples, numbers: Sequence[int]) -> None:
    chosen, device = torch.tensor(list(numbers)), model.sam.device
    model.remember(samples.images[chosen].to(device), samples.labels[chosen].to(device))


def refit_config(config: FitConfig) -> TrainingConfig:
    """Return how one of the refits that calibrate is trained: shorter, with half the batch.

    A model that has learnt nothing yet says nothing about one that has, so very short runs are
    refitted at a greater share of their length.
    """
    training = config.training
    iterations = max(round(config.trust.share * training.iterations), FEWEST_STEPS)
    return training.model_copy(
        update={
            "iterations": min(iterations, training.iterations),
            "batch": max(1, training.batch // 2),
        }
    )


def with_refits(config: FitConfig, folds: int) -> TrainingConfig:
    """Return the training as long as it is with that many refits, for an estimate of time."""
    training, short = config.training, refit_config(config)
    more = folds * short.iterations * short.batch / training.batch
    return training.model_copy(update={"iterations": training.iterations + round(more)})
