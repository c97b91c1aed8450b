from __future__ import annotations

import pytest
import torch

from samplar.config.training import TrainingConfig
from samplar.sam.seeded import digest_of
from samplar.training.loop import train
from samplar.training.optimizer import make_optimizer, set_rate

LR, DECAY, EPS = 1e-3, 0.1, 1e-8


class StopError(Exception):
    """What a test raises to end a run in the middle."""


def test_one_step_is_adamw_at_the_rate_of_each_parameter(adapted, phantoms, taught):
    model = adapted("full", depth=1, encoder_rate=0.3, layer_decay=0.5)
    before = {name: p.detach().clone() for name, p in model.trained().items()}
    taught(model, phantoms(), iterations=1, lr=LR, weight_decay=DECAY)
    shares = {round(model.rates[name], 6) for name in before}
    assert shares == {1.0, 0.3, 0.15}
    for name, parameter in model.trained().items():
        rate, gradient = LR * model.rates[name], parameter.grad
        # the first step: both moments are the gradient's own, after correction
        moved = rate * gradient / (gradient.abs() + EPS)
        expected = before[name] * (1 - rate * DECAY) - moved
        torch.testing.assert_close(parameter.detach(), expected, rtol=0, atol=1e-6 * rate / LR)
        assert not torch.equal(parameter, before[name])


def test_the_rate_of_a_step_reaches_every_group_at_its_share(adapted):
    model = adapted("full", encoder_rate=0.25)
    optimizer = make_optimizer(model, TrainingConfig(weight_decay=0.03))
    set_rate(optimizer, 0.8)
    found = {
        name: g
        for g in optimizer.param_groups
        for name, p in model.trained().items()
        if any(p is member for member in g["params"])
    }
    assert set(found) == set(model.trained())
    for name, group in found.items():
        encoder = name.startswith("image_encoder.")
        assert group["lr"] == pytest.approx(0.2 if encoder else 0.8)
        assert group["weight_decay"] == 0.03


def test_parameters_that_learn_alike_are_one_group_in_their_order(adapted):
    model = adapted("samed-s")
    (group,) = make_optimizer(model, TrainingConfig()).param_groups
    assert [id(p) for p in group["params"]] == [id(p) for p in model.trained().values()]


def test_a_run_at_several_rates_is_resumed_bit_for_bit(
    adapted, phantoms, pooled, running, tmp_path
):
    def go(name, on_step=lambda step, loss: None):
        model, folder = adapted("full", depth=1, layer_decay=0.7), tmp_path / name
        folder.mkdir(exist_ok=True)
        run = running(folder=folder, iterations=5, checkpoint_every=2, on_step=on_step)
        train(model, pooled(model, phantoms(4)), run)
        return digest_of(model.adapter_state())

    def stop(step, loss):
        if step == 3:
            raise StopError

    with pytest.raises(StopError):
        go("cut", on_step=stop)
    assert go("cut") == go("whole")
