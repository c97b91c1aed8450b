"""What an iteration does when memory runs out; made to, since a test cannot fill it."""

from __future__ import annotations

import weakref

import pytest
import torch

from samplar.errors import ResourceError
from samplar.sam.seeded import digest_of
from samplar.training import iteration
from samplar.training.iteration import Iteration
from samplar.training.optimizer import make_optimizer


@pytest.fixture
def work(adapted, phantoms, pooled, running):
    """Return an iteration of `samplar` over four phantoms: two passes, the second for its U-Net."""
    model = adapted("samplar", unet_share=0.5)
    batch = pooled(model, phantoms(4)).batch(torch.arange(4))
    return Iteration(
        model,
        make_optimizer(model, running().config),
        batch,
        exemplars=[0, 1, 2, 3],
        number=5,
        seed=0,
        precision="fp32",
        clip=1.0,
    )


def out_of_memory(*_):
    raise torch.OutOfMemoryError("CUDA out of memory.")


def failing(monkeypatch, *, number, most, see=lambda loss: None):
    """Let the way back of this pass run out of memory where there are more images than `most`."""
    real = iteration.pass_losses

    def limited(model, prefix, samples, **rest):
        for place, loss in enumerate(real(model, prefix, samples, **rest)):
            see(loss)
            if place == number and len(samples) > most:
                loss.register_hook(out_of_memory)
            yield loss

    monkeypatch.setattr(iteration, "pass_losses", limited)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("most", [1, 2])
def test_the_batch_that_is_named_fits_in_every_pass(work, monkeypatch, number, most):
    failing(monkeypatch, number=number, most=most)
    with pytest.raises(ResourceError) as caught:
        work.run()
    assert caught.value.code == "training.memory"
    assert f"training.batch={most}, which fits" in caught.value.fix
    assert len(work.losses) == number


def test_trying_smaller_batches_changes_nothing(work, monkeypatch):
    before = digest_of(work.model.adapter_state())
    failing(monkeypatch, number=0, most=2)
    with pytest.raises(ResourceError):
        work.run()
    assert digest_of(work.model.adapter_state()) == before
    assert all(p.grad is None for p in work.model.trained().values())


def test_nothing_of_the_batch_that_failed_is_held_while_others_are_tried(work, monkeypatch):
    alive, first = [], []

    def see(loss):
        alive.append(sum(kept() is not None for kept in first))
        if not first:
            first.append(weakref.ref(loss))

    failing(monkeypatch, number=0, most=1, see=see)
    with pytest.raises(ResourceError):
        work.run()
    assert alive == [0, 0, 0, 0]  # of 4, 2 and 1 images; the last one in two passes
