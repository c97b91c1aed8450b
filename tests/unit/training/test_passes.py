"""A method may take several steps on one batch."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from samplar.methods.contract import Pass
from samplar.training.journal import read_journal
from samplar.training.loop import train


@pytest.fixture
def model(adapted):
    return adapted("decoder-only")


def watched(model, seen, *, passes):
    """Let the model ask the same again; note the weights and the padding each time."""

    def asked(sam, config, batch, memory):
        for _ in range(passes):
            seen.append((sam.mask_decoder.mask_tokens.weight.detach().clone(), batch.labels))
            yield Pass(sam.decode(batch.embedding)[0], batch.labels)

    model.method = replace(model.method, passes=asked)
    return model


def test_the_optimiser_steps_after_every_pass(model, phantoms, pooled, running):
    seen, told = [], []
    run = running(iterations=2, lr=1e-2, on_step=lambda step, loss: told.append((step, loss)))
    train(watched(model, seen, passes=3), pooled(model, phantoms()), run)
    weights = [weight for weight, _ in seen]
    assert len(weights) == 6
    assert all(not torch.equal(a, b) for a, b in itertools.pairwise(weights))
    rows = read_journal(run.folder / "metrics.jsonl")
    assert [(row["step"], row["loss"]) for row in rows] == told
    assert [step for step, _ in told] == [1, 2]


def test_the_loss_of_an_iteration_is_the_mean_of_its_passes(model, phantoms, pooled, running):
    losses = []
    for passes in (1, 2):
        told = []
        run = running(
            iterations=1, lr=1e-12, on_step=lambda step, loss, told=told: told.append(loss)
        )
        train(watched(model, [], passes=passes), pooled(model, phantoms()), run)
        losses += told
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_padding_is_not_labelled_for_the_method_either(model, phantoms, pooled, running):
    samples, seen = phantoms(), []
    samples.valid[:, 20:] = False
    train(watched(model, seen, passes=1), pooled(model, samples), running(iterations=1))
    labels = seen[0][1]
    assert (labels[:, 20:] == 255).all()
    assert (labels[:, :20] != 255).all()
