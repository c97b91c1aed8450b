"""The one training loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from samplar.config.training import TrainingConfig
from samplar.errors import ResourceError
from samplar.methods.adapted import AdaptedSam
from samplar.sam.precision import autocast
from samplar.synthesis.samples import Samples
from samplar.training.checkpoint import (
    Checkpoint,
    newest_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    sweep,
    write_checkpoint,
)
from samplar.training.journal import Journal
from samplar.training.losses import segmentation_loss
from samplar.training.pool import Pool
from samplar.training.room import no_room, tried
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


def train(model: AdaptedSam, pool: Pool, run: TrainingRun) -> None:
    """Train the model in place, from the newest checkpoint of the same run if there is one.

    Raises:
        ResourceError: `training.not_finite` and `training.exploded`, naming step and exemplars, and
            `training.memory`, with the batch that fits; checkpoints are kept.
        OutputError: see `samplar.io.atomic`.
    """
    config, names = run.config, model.trained()
    optimizer = torch.optim.AdamW(
        list(names.values()), lr=config.lr, weight_decay=config.weight_decay, fused=True
    )
    done = _resume(model, optimizer, run)
    batches = batch_order(
        len(pool.draws),
        batch=config.batch,
        step=config.iterations,
        seed_generator=generator(run.seed, "batches"),
    )
    start = time.monotonic()
    with Journal(run.folder / "metrics.jsonl", keep_before=done) as journal:
        _say_lost_rows(journal, run, done)
        watch = Watch(journal.kept)
        for step in range(done, config.iterations):
            rate, exemplars = learning_rate(step, config), pool.exemplars_of(batches[step])
            data = pool.batch(batches[step])
            work = partial(_computed, model, optimizer, data, run=run, step=step)
            found = tried(partial(work, config.batch))
            if found is None:
                if step > done:
                    _save(model, optimizer, run, step, journal)
                raise no_room(work, batch=config.batch, step=step + 1, device=model.sam.device)
            loss, norm = found
            _guard("loss", loss, step, exemplars)
            _guard("gradient's norm", norm, step, exemplars)
            _update(optimizer, rate)
            value, seconds = round(loss.item(), 6), round(time.monotonic() - start, 3)
            journal.write({"step": step + 1, "loss": value, "lr": rate, "seconds": seconds})
            watch.see(step + 1, value, exemplars)
            due = (step + 1) % config.checkpoint_every == 0 or step + 1 == config.iterations
            if due:
                _save(model, optimizer, run, step + 1, journal)
            try:
                run.on_step(step + 1, value)
            except KeyboardInterrupt:
                if not due:
                    _save(model, optimizer, run, step + 1, journal)
                raise


def take_finished(model: AdaptedSam, run: TrainingRun) -> bool:
    """Take up the state after the last iteration, if it is there; say whether it was."""
    checkpoint, _ = newest_checkpoint(run.folder / "checkpoints", run=run.digest)
    if checkpoint is None or checkpoint.step < run.config.iterations:
        return False
    model.load_adapter_state(checkpoint.adapter, path=str(run.folder / "checkpoints"))
    run.on_note(f"resumed after the last iteration, {checkpoint.step}")
    return True


def _resume(model: AdaptedSam, optimizer: torch.optim.AdamW, run: TrainingRun) -> int:
    sweep(run.folder / "checkpoints")
    checkpoint, skipped = newest_checkpoint(run.folder / "checkpoints", run=run.digest)
    for line in skipped:
        run.on_note(line)
    if checkpoint is None:
        return 0
    model.load_adapter_state(checkpoint.adapter, path=str(run.folder / "checkpoints"))
    restore_optimizer(optimizer, model.trained(), checkpoint.optimizer)
    run.on_note(f"resumed after iteration {checkpoint.step}")
    return checkpoint.step


def _say_lost_rows(journal: Journal, run: TrainingRun, done: int) -> None:
    if len(journal.kept) < done:
        lost = done - len(journal.kept)
        run.on_note(f"{journal.path.name} was damaged: the rows of {lost} iterations are lost")


def _computed(
    model: AdaptedSam,
    optimizer: torch.optim.AdamW,
    data: tuple[Tensor, Samples],
    count: int,
    *,
    run: TrainingRun,
    step: int,
) -> tuple[Tensor, Tensor]:
    """Return the loss of the first `count` of a batch and its gradient's norm; change no weight."""
    prefix, samples = data[0][:count], data[1].first(count)
    chance = generator(run.seed, f"step {step}")  # of the step alone: resuming repeats it
    loss = _loss(model, prefix, samples, precision=run.precision, chance=chance)
    return loss.detach(), _gradients(optimizer, loss, run.config.clip)


def _loss(
    model: AdaptedSam,
    prefix: Tensor,
    samples: Samples,
    *,
    precision: str,
    chance: torch.Generator,
) -> Tensor:
    device = model.sam.device
    labels, valid = samples.labels.to(device), samples.valid.to(device)
    with autocast(precision, device):
        logits = model(prefix.to(device), samples.images.to(device), labels, chance=chance)
    labels, valid = _on_grid(labels, logits), _on_grid(valid, logits)
    return segmentation_loss(logits, labels, model.loss, valid=valid)


def _on_grid(labels: Tensor, logits: Tensor) -> Tensor:
    """Bring labels to the grid of the logits by nearest cell, as SAMed does."""
    if labels.shape[-2:] == logits.shape[-2:]:
        return labels
    resized = nn.functional.interpolate(
        labels[:, None].float(), logits.shape[-2:], mode="nearest-exact"
    )
    return resized[:, 0].to(labels.dtype)


def _guard(what: str, value: Tensor, step: int, exemplars: list[int]) -> None:
    if bool(torch.isfinite(value)):
        return
    raise ResourceError(
        f"the {what} is {value.item()} at iteration {step + 1}, in a batch made from the exemplars "
        f"{exemplars}",
        fix="Look at these exemplars with `samplar synth --preview`, or lower training.lr; "
        "the last checkpoint is kept",
        code="training.not_finite",
    )


def _gradients(optimizer: torch.optim.AdamW, loss: Tensor, clip: float) -> Tensor:
    """Compute and clip the gradients; return their norm before clipping."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    return nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], clip)


def _update(optimizer: torch.optim.AdamW, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()


def _save(
    model: AdaptedSam, optimizer: torch.optim.AdamW, run: TrainingRun, step: int, journal: Journal
) -> None:
    """Save the state after `step` iterations; their rows are on the disk before it is."""
    journal.sync()
    names = model.trained()
    state = Checkpoint(step, model.adapter_state(), optimizer_tensors(optimizer, names), run.digest)
    write_checkpoint(run.folder / "checkpoints", state)
