from __future__ import annotations

import itertools

import pytest
from quick_methods import QUICK

from samplar.config.training import TrainingConfig
from samplar.methods.registry import cards
from samplar.sam.precision import Precisions
from samplar.sam.seeded import digest_of
from samplar.training import estimate as module
from samplar.training.estimate import Estimate, estimate_fit

TRAINED = [name for name, card in cards().items() if card.trains and card.fits("tiny-vit")]


@pytest.fixture
def ticking(monkeypatch):
    """A clock that says one second has gone by each time it is asked."""
    clock = itertools.count()
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(clock)))


def estimated(model, *, images=40, **config):
    settings = TrainingConfig(**{"batch": 8, "iterations": 30, **config})
    return estimate_fit(
        model, settings, images=images, size=32, precisions=Precisions("fp32", "fp32")
    )


def test_scales_what_it_measured(ticking, adapted):
    found = estimated(adapted("samed"))
    # one second for the prefix of two images, one for a step on two
    assert found.pool == 40 / 2
    assert found.training == 30 * 8 / 2
    assert found.seconds == 140


def test_a_batch_of_one_is_measured_with_one(ticking, adapted):
    assert estimated(adapted("samed"), batch=1).training == 30


def test_counts_the_activations_that_stay_in_memory(adapted, monkeypatch):
    monkeypatch.setattr(module, "_peak_bytes", lambda: 0)
    model = adapted("decoder-only")
    row, image = 4 * 32 * 8 * 8, 14 * 32 * 32
    found = estimated(model, images=1000).memory * 2**30
    assert found == pytest.approx(1000 * (row + image))
    limited = estimated(model, images=1000, memory=1e-3).memory * 2**30
    assert limited == pytest.approx(1e-3 * 2**30 + 1000 * image)


@pytest.mark.parametrize("name", TRAINED)
def test_leaves_the_model_as_it_was(adapted, name):
    model = adapted(name, **QUICK.get(name, {}))
    before = digest_of(model.sam.state_dict())
    found = estimated(model)
    assert found.pool > 0
    assert found.training > 0
    assert found.memory > 0.05  # this very process
    assert digest_of(model.sam.state_dict()) == before
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(
    ("seconds", "said"), [(7.4, "7 s"), (59.6, "1 min 00 s"), (605.0, "10 min 05 s")]
)
def test_says_it_in_one_line(seconds, said):
    line = Estimate(pool=seconds - 1, training=1.0, memory=1.26).line()
    assert line == f"estimate: about {said} and 1.3 GiB of memory"
