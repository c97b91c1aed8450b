from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import avg_pool2d

from samplar.errors import InputError, ResourceError
from samplar.sam.seeded import digest_of
from samplar.training.journal import read_journal
from samplar.training.loop import train
from samplar.training.losses import segmentation_loss
from samplar.training.sampler import batch_order
from samplar.training.seed import generator


class StopError(Exception):
    """What a test raises to end a run in the middle."""


def steps_of(folder):
    return sorted(int(p.name[5:]) for p in (folder / "checkpoints").glob("step-??????"))


def losses(folder):
    return [(row["step"], row["loss"], row["lr"]) for row in read_journal(folder / "metrics.jsonl")]


@pytest.fixture
def start(adapted, phantoms, pooled, running, tmp_path):
    """Start a run of samed-s on four phantoms in a folder of its own."""

    def go(name="run", *, change=lambda model, pool: None, **settings):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        model = adapted("samed-s", rank=2)
        pool = pooled(model, phantoms(4))
        change(model, pool)
        train(model, pool, running(folder=folder, **{"iterations": 7, "batch": 1, **settings}))
        return model, folder

    return go


def stop_at(step):
    def tell(done, loss):
        if done == step:
            raise StopError

    return tell


def test_the_loss_falls_and_every_iteration_is_written_down(start):
    told = []
    _, folder = start(
        iterations=30, batch=2, lr=1e-2, warmup=5, on_step=lambda n, loss: told.append((n, loss))
    )
    rows = read_journal(folder / "metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(1, 31))
    assert [(row["step"], row["loss"]) for row in rows] == told
    assert rows[0]["lr"] == pytest.approx(2e-3)
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds)
    first, last = ([row["loss"] for row in part] for part in (rows[:5], rows[-5:]))
    assert sum(last) < 0.75 * sum(first)


@pytest.mark.parametrize("stopped", [1, 2, 5, 6])
def test_a_resumed_run_is_bit_identical_to_an_uninterrupted_one(start, stopped):
    whole, there = start("whole", checkpoint_every=2)
    with pytest.raises(StopError):
        start("cut", checkpoint_every=2, on_step=stop_at(stopped))
    notes = []
    resumed, here = start("cut", checkpoint_every=2, on_note=notes.append)
    kept = 2 * (stopped // 2)
    assert notes == ([f"resumed after iteration {kept}"] if kept else [])
    assert digest_of(resumed.adapter_state()) == digest_of(whole.adapter_state())
    assert losses(here) == losses(there)
    assert steps_of(here) == steps_of(there) == [6, 7]


def test_a_resumed_run_does_not_repeat_what_is_done(start):
    with pytest.raises(StopError):
        start(checkpoint_every=2, on_step=stop_at(5))
    told = []
    start(checkpoint_every=2, on_step=lambda n, loss: told.append(n))
    assert told == [5, 6, 7]


def test_resuming_past_damage_is_said_and_still_bit_identical(start, tmp_path):
    whole, _ = start("whole", checkpoint_every=2)
    with pytest.raises(StopError):
        start("cut", checkpoint_every=2, on_step=stop_at(5))
    (tmp_path / "cut/checkpoints/step-000004/adapter.safetensors").write_bytes(b"cut")
    notes = []
    resumed, _ = start("cut", checkpoint_every=2, on_note=notes.append)
    assert notes[0].startswith("step-000004 is damaged")
    assert notes[1] == "resumed after iteration 2"
    assert digest_of(resumed.adapter_state()) == digest_of(whole.adapter_state())


def test_an_interrupted_run_keeps_the_step_it_was_in(start, tmp_path):
    whole, _ = start("whole")

    def interrupt(done, loss):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start("cut", on_step=interrupt)
    assert steps_of(tmp_path / "cut") == [3]
    told = []
    resumed, _ = start("cut", on_step=lambda n, loss: told.append(n))
    assert told == [4, 5, 6, 7]
    assert digest_of(resumed.adapter_state()) == digest_of(whole.adapter_state())


def test_batches_come_in_the_order_of_the_seed(start):
    seen = []

    def watch(model, pool):
        real = pool.batch
        pool.batch = lambda rows: seen.append(rows.tolist()) or real(rows)

    start(batch=2, seed=8, change=watch)
    order = batch_order(4, batch=2, step=7, seed_generator=generator(8, "batches"))
    assert seen == [rows.tolist() for rows in order]


def test_a_run_with_other_settings_is_refused(start):
    with pytest.raises(StopError):
        start(checkpoint_every=2, on_step=stop_at(5))
    with pytest.raises(InputError) as caught:
        start(checkpoint_every=2, digest="another run")
    assert caught.value.code == "resume.other_run"


def spoiled(step):
    """Put a number that is none into the activations of the only row of an iteration."""
    order = batch_order(4, batch=1, step=7, seed_generator=generator(0, "batches"))
    row = int(order[step][0])

    def change(model, pool):
        pool.prefixes.memory[row, 0, 0, 0] = torch.nan

    return row, change


def test_a_loss_that_is_not_finite_stops_with_exemplar_and_checkpoint(start, tmp_path):
    row, change = spoiled(3)
    with pytest.raises(ResourceError, match="the loss is nan at iteration 4") as caught:
        start(checkpoint_every=2, change=change)
    assert caught.value.code == "training.not_finite"
    assert f"exemplars [{row}]" in caught.value.problem
    folder = tmp_path / "run"
    assert steps_of(folder) == [2]
    assert [step for step, *_ in losses(folder)] == [1, 2, 3]


def test_gradients_that_are_not_finite_reach_no_weight(start, tmp_path):
    model = None

    def change(given, pool):
        nonlocal model
        model = given
        victim = next(iter(given.trained().values()))
        calls = []

        def overflow(gradient):
            calls.append(1)
            return gradient / 0 if len(calls) == 4 else gradient

        victim.register_hook(overflow)

    with pytest.raises(ResourceError, match=r"gradient's norm is (nan|inf) at iteration 4"):
        start(checkpoint_every=1, change=change)
    assert all(torch.isfinite(p).all() for p in model.trained().values())
    assert steps_of(tmp_path / "run") == [2, 3]


def test_the_gradient_is_clipped(start):
    before = {}

    def change(model, pool):
        victim = model.sam.mask_decoder.mask_tokens.weight
        victim.register_hook(lambda gradient: 1e6 * gradient)
        before.update({n: p.detach().clone() for n, p in model.trained().items()})

    model, _ = start(iterations=1, clip=1e-3, lr=1e-3, change=change)
    grads = [p.grad for p in model.trained().values() if p.grad is not None]
    norm = sum(grad.square().sum() for grad in grads).sqrt()
    assert norm.item() == pytest.approx(1e-3, rel=1e-3)


def test_labels_come_to_the_grid_of_the_logits_by_nearest_cell(adapted, phantoms, pooled, running):
    def coarse(sam, config, batch, memory):
        return avg_pool2d(sam.decode(batch.embedding)[0], 4)

    samples, model, seen = phantoms(2), adapted("decoder-only"), []
    model.method = replace(model.method, logits=coarse)
    with torch.no_grad():
        logits = model(model.prefix(samples.images), samples.images)
    centres = samples.labels[:, 2::4, 2::4]
    expected = segmentation_loss(logits, centres, model.loss).item()
    pool = pooled(model, samples)
    train(model, pool, running(iterations=1, on_step=lambda n, loss: seen.append(loss)))
    assert logits.shape[-1] == centres.shape[-1] == 8
    assert seen == [pytest.approx(expected, abs=1e-5)]
