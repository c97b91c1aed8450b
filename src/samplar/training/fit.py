"""Adapting a SAM to exemplars: the pool, the loop, or for training-free methods the memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import torch

from samplar.config.fit import FitConfig
from samplar.exemplars.exemplar import ExemplarSet
from samplar.methods.adapted import AdaptedSam
from samplar.synthesis.samples import Samples
from samplar.synthesis.synthesizer import Synthesizer
from samplar.training.loop import TrainingRun, take_finished, train
from samplar.training.pool import fill_pool
from samplar.training.run import RunFolder
from samplar.training.sampler import balanced_indices
from samplar.training.seed import generator
from samplar.training.tensors import as_samples, painted


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
) -> None:
    """Train the model, or let it remember, in place.

    Raises:
        ResourceError: `training.not_finite`, `training.exploded` or `training.memory`.
        OutputError: see `samplar.io.atomic`.
        InputError: `resume.other_run`.
    """
    samples = as_samples(exemplars, config.size)
    if not model.method.card.trains:
        device, samples = model.sam.device, painted(samples, model.sam.padding)
        model.remember(samples.images.to(device), samples.labels.to(device))
        return
    classes, training = len(exemplars.labels), config.training
    trained = TrainingRun(
        config=training,
        precision=precision,
        seed=config.seed,
        folder=run.path,
        digest=digest,
        on_step=told.step,
        on_note=told.note,
    )
    if take_finished(model, trained):
        return
    synthesizer = Synthesizer(samples, classes=classes, config=config.synthesis)
    chance = generator(config.seed, "synthesis")
    draws = synthesizer.draw(starting_exemplars(samples, classes, config, chance), chance)
    run.write_draws(draws)
    told.stage("synthesis and frozen encoder", len(draws))
    pool = fill_pool(
        model,
        synthesizer,
        draws,
        precision=precision,
        memory=training.memory,
        folder=run.path,
        on_image=lambda done: told.step(done, None),
    )
    told.stage("training", training.iterations)
    with closing(pool.prefixes):
        train(model, pool, trained)


def starting_exemplars(
    samples: Samples, classes: int, config: FitConfig, chance: torch.Generator
) -> list[int]:
    """Return the exemplar that each image of the pool starts from.

    They take turns, each once without synthesis; guided synthesis lets classes take turns as well.
    """
    count = pool_size(config, len(samples))
    if config.synthesis.factor == 0 or config.synthesis.recipe == "samed":
        return [number % len(samples) for number in range(count)]
    return balanced_indices(samples.labels, classes, count, chance)


def pool_size(config: FitConfig, exemplars: int) -> int:
    """Return how many images the pool holds: without synthesis every exemplar is there once."""
    return exemplars if config.synthesis.factor == 0 else config.training.pool
