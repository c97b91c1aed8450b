"""The one training loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

import torch

from samplar.config.training import TrainingConfig
from samplar.errors import ResourceError
from samplar.methods.adapted import AdaptedSam
from samplar.training.average import RunningMean
from samplar.training.checkpoint import (
    Checkpoint,
    newest_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    sweep,
    write_checkpoint,
)
from samplar.training.iteration import Iteration
from samplar.training.journal import Journal
from samplar.training.optimizer import make_optimizer, set_rate
from samplar.training.pool import Pool
from samplar.training.sampler import batch_order
from samplar.training.schedule import learning_rate
from samplar.training.seed import generator
from samplar.training.watch import Watch


@dataclass(frozen=True)
class TrainingRun:
    """Everything about a run besides the model and its data.

    Args:
        config: iterations, rates, sizes.
        precision: fp32 or bf16, already decided.
        seed: of the order of the batches.
        folder: where checkpoints and metrics.jsonl go.
        digest: of all that decides the result, so that only the same run is resumed.
        on_step: told the iterations done and the latest loss; a KeyboardInterrupt that it raises
            is let through once the state is saved.
        on_note: told what the user should know, such as a damaged checkpoint passed over.
    """

    config: TrainingConfig
    precision: str
    seed: int
    folder: Path
    digest: str
    on_step: Callable[[int, float], None]
    on_note: Callable[[str], None]


@dataclass(frozen=True)
class _State:
    """What changes from step to step."""

    model: AdaptedSam
    optimizer: torch.optim.AdamW
    mean: RunningMean


def train(model: AdaptedSam, pool: Pool, run: TrainingRun) -> None:
    """Train the model in place, from the newest checkpoint of the same run if there is one.

    Raises:
        ResourceError: `training.not_finite` and `training.exploded`, naming step and exemplars, and
            `training.memory`, with the batch that fits; checkpoints are kept.
        OutputError: see `samplar.io.atomic`.
    """
    config = run.config
    state = _State(
        model, make_optimizer(model, config), RunningMean(model.trained(), config.average)
    )
    done = _resume(state, run)
    batches = batch_order(
        len(pool.draws),
        batch=config.batch,
        step=config.iterations,
        seed_generator=generator(run.seed, "batches"),
    )
    begin = partial(
        Iteration, model, state.optimizer, seed=run.seed, precision=run.precision, clip=config.clip
    )
    start = time.monotonic()
    with Journal(run.folder / "metrics.jsonl", keep_before=done) as journal:
        _say_lost_rows(journal, run, done)
        watch = Watch(journal.kept)
        for step in range(done, config.iterations):
            rate, exemplars = learning_rate(step, config), pool.exemplars_of(batches[step])
            set_rate(state.optimizer, rate)
            batch = pool.batch(batches[step])
            work = begin(batch=batch, exemplars=exemplars, number=step + 1)
            try:
                work.run()
            except ResourceError as error:
                if error.code == "training.memory" and step > done and not work.losses:
                    _save(state, run, step, journal)
                raise
            state.mean.take(step + 1)
            value, seconds = round(fmean(work.losses), 6), round(time.monotonic() - start, 3)
            journal.write({"step": step + 1, "loss": value, "lr": rate, "seconds": seconds})
            watch.see(step + 1, value, exemplars)
            last = step + 1 == config.iterations
            if last:
                state.mean.settle()
            due = last or (step + 1) % config.checkpoint_every == 0
            if due:
                _save(state, run, step + 1, journal)
            try:
                run.on_step(step + 1, value)
            except KeyboardInterrupt:
                if not due:
                    _save(state, run, step + 1, journal)
                raise


def take_finished(model: AdaptedSam, run: TrainingRun) -> bool:
    """Take up the state after the last iteration, if it is there; say whether it was."""
    checkpoint, _ = newest_checkpoint(run.folder / "checkpoints", run=run.digest)
    if checkpoint is None or checkpoint.step < run.config.iterations:
        return False
    model.load_adapter_state(checkpoint.adapter, path=str(run.folder / "checkpoints"))
    run.on_note(f"resumed after the last iteration, {checkpoint.step}")
    return True


def _resume(state: _State, run: TrainingRun) -> int:
    sweep(run.folder / "checkpoints")
    checkpoint, skipped = newest_checkpoint(run.folder / "checkpoints", run=run.digest)
    for line in skipped:
        run.on_note(line)
    if checkpoint is None:
        return 0
    state.model.load_adapter_state(checkpoint.adapter, path=str(run.folder / "checkpoints"))
    restore_optimizer(state.optimizer, state.model.trained(), checkpoint.optimizer)
    state.mean.restore(checkpoint.means)
    run.on_note(f"resumed after iteration {checkpoint.step}")
    return checkpoint.step


def _say_lost_rows(journal: Journal, run: TrainingRun, done: int) -> None:
    if len(journal.kept) < done:
        lost = done - len(journal.kept)
        run.on_note(f"{journal.path.name} was damaged: the rows of {lost} iterations are lost")


def _save(state: _State, run: TrainingRun, step: int, journal: Journal) -> None:
    """Save the state after `step` iterations; their rows are on the disk before it is."""
    journal.sync()
    adapter, moments = (
        state.model.adapter_state(),
        optimizer_tensors(state.optimizer, state.model.trained()),
    )
    checkpoint = Checkpoint(step, adapter, moments, run.digest, state.mean.means)
    write_checkpoint(run.folder / "checkpoints", checkpoint)
