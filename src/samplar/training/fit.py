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
from samplar.sam.device import encoder_batch
from samplar.sam.precision import Precisions
from samplar.synthesis.samples import Samples
from samplar.training.draws import draw_pool
from samplar.training.folds import Refits, Show, copied_state, refit, whole_slices
from samplar.training.loop import TrainingRun, take_finished, train
from samplar.training.pool import Pool, fill_pool
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


@dataclass(frozen=True)
class CloseUps:
    """Close-ups of the exemplars, to learn from besides the exemplars whole.

    Args:
        share: side of what they show, as a share of the longer side of an image.
        worth: says whether to learn from them, once models were shown that did, if any are.
    """

    share: float
    worth: Callable[[], bool]


def adapt(
    model: AdaptedSam,
    exemplars: ExemplarSet,
    config: FitConfig,
    run: RunFolder,
    *,
    precisions: Precisions,
    digest: str,
    told: Told,
    show: Show | None = None,
    closer: CloseUps | None = None,
) -> None:
    """Train the model, or let it remember, in place.

    Args:
        model: on the device to train on, not trained yet.
        exemplars: what to learn.
        config: how.
        run: the folder of the run.
        precisions: of what is frozen and of what trains.
        digest: of all that decides the result.
        told: whom to tell how far it is.
        show: is given models that have not seen some of the exemplars, with their numbers.
        closer: close-ups to learn from besides. Held-out exemplars are then shown first, for they
            decide what the model is to learn from.

    What the refits have kept stays in the folder of the run until `forget_refits`.

    Raises:
        ResourceError: `training.not_finite`, `training.exploded` or `training.memory`.
        OutputError: see `samplar.io.atomic`.
        InputError: `resume.other_run`.
    """
    samples = as_samples(exemplars, config.size)
    folds = [] if show is None else subject_folds(exemplars, config.trust.folds)
    if not model.method.card.trains:
        _remember_all(model, painted(samples, model.sam.padding), folds, show)
        return
    whole = TrainingRun(
        config=config.training,
        precision=precisions.trained,
        seed=config.seed,
        folder=run.path,
        digest=digest,
        on_step=told.step,
        on_note=told.note,
    )
    further = None
    if show is not None and folds:
        short, fresh = refit_config(config), copied_state(model)
        further = Refits(folds, fresh, whole, short, show, lambda n: told.step(n, None))
    choosing = closer is not None and further is not None
    finished = not choosing and take_finished(model, whole)
    if finished and further is None:
        return
    close = None if closer is None else as_samples(close_ups(exemplars, closer.share), config.size)
    renderer, draws = draw_pool(samples, close, classes=len(exemplars.labels), config=config)
    run.write_draws(draws)
    told.stage("synthesis and frozen encoder", len(draws))
    pool = fill_pool(
        model,
        renderer,
        draws,
        precision=precisions.frozen,
        memory=config.training.memory,
        folder=run.path,
        on_image=lambda done: told.step(done, None),
    )
    with closing(pool):
        learnt = pool
        if further is not None and choosing:
            _hold_out(model, pool, further, told)
        if closer is not None:
            learnt = pool if closer.worth() else whole_slices(pool)
        told.stage("training", config.training.iterations)
        if not finished:
            train(model, learnt, whole)
        if further is not None and not choosing:
            _hold_out(model, pool, further, told)


def _hold_out(model: AdaptedSam, pool: Pool, further: Refits, told: Told) -> None:
    told.stage("calibration", len(further.folds) * further.config.iterations)
    refit(model, pool, further)


def _remember_all(
    model: AdaptedSam, samples: Samples, folds: Sequence[Sequence[int]], show: Show | None
) -> None:
    """Let the model remember all exemplars, and before that, to be shown, all but each fold."""
    for fold in folds:
        _remember(model, samples, [n for n in range(len(samples)) if n not in fold])
        if show is not None:
            show(model, fold)
    _remember(model, samples, range(len(samples)))


def _remember(model: AdaptedSam, samples: Samples, numbers: Sequence[int]) -> None:
    chosen, device = torch.tensor(list(numbers)), model.sam.device
    images, labels = samples.images[chosen].to(device), samples.labels[chosen].to(device)
    step = encoder_batch(device)  # the encoder's activations of all at once may not fit
    parts = [model.prefix(images[start : start + step]) for start in range(0, len(images), step)]
    model.remember(torch.cat(parts), images, labels)


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
