from __future__ import annotations

import pytest
import torch
from torch import nn

from samplar.sam.seeded import digest_of
from samplar.training.average import RunningMean
from samplar.training.loop import train


def weights(*values: float) -> dict[str, nn.Parameter]:
    return {f"w{n}": nn.Parameter(torch.tensor([value])) for n, value in enumerate(values)}


def test_it_is_the_exponential_mean_with_a_short_memory_at_first():
    given = weights(0.0, 10.0)
    mean = RunningMean(given, 0.5)
    expected = [0.0, 10.0]
    for step in range(1, 12):
        for number, parameter in enumerate(given.values()):
            parameter.data.fill_(step * (number + 1))
            kept = min(0.5, (1 + step) / (10 + step))
            expected[number] = kept * expected[number] + (1 - kept) * step * (number + 1)
        mean.take(step)
    assert [float(m) for m in mean.means.values()] == pytest.approx(expected)
    mean.settle()
    assert [p.item() for p in given.values()] == pytest.approx(expected)


def test_without_memory_nothing_is_kept_and_nothing_changes():
    given = weights(3.0)
    mean = RunningMean(given, 0.0)
    mean.take(1)
    given["w0"].data.fill_(4.0)
    mean.settle()
    assert mean.means == {}
    assert given["w0"].item() == 4.0


class StopError(Exception):
    """What a test raises to end a run in the middle."""


@pytest.fixture
def trained(adapted, phantoms, pooled, running, tmp_path):
    """Train in a folder of its own, interrupted after some step if told to."""

    def go(name, *, stop=None, **settings):
        def tell(done, loss):
            if done == stop:
                raise StopError

        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        model = adapted("samed-s", rank=2)
        train(
            model,
            pooled(model, phantoms(3)),
            running(folder=folder, iterations=6, batch=1, on_step=tell, **settings),
        )
        return digest_of(model.adapter_state())

    return go


def test_a_resumed_run_ends_with_the_same_mean(trained):
    whole = trained("whole", average=0.9, checkpoint_every=2)
    with pytest.raises(StopError):
        trained("stopped", average=0.9, checkpoint_every=2, stop=5)
    assert trained("stopped", average=0.9, checkpoint_every=2) == whole
    assert trained("whole", average=0.9, checkpoint_every=2) == whole  # nothing left to do
    assert trained("last weights") != whole
