from __future__ import annotations

import pytest

from samplar.config.training import TrainingConfig
from samplar.training.schedule import learning_rate


def rates(**settings):
    config = TrainingConfig(**settings)
    return [learning_rate(step, config) for step in range(config.iterations)]


def test_rises_in_a_line_and_falls_as_a_power():
    found = rates(iterations=100, warmup=10, lr=0.5, power=0.9)
    assert found[:10] == pytest.approx([0.5 * (n + 1) / 10 for n in range(10)])
    assert found[10:] == pytest.approx([0.5 * (1 - n / 90) ** 0.9 for n in range(90)])
    assert max(found) == found[9] == found[10] == 0.5
    assert 0 < found[-1] < 0.01


def test_the_warm_up_takes_at_most_a_fifth():
    found = rates(iterations=20, warmup=250, lr=1.0)
    assert found[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert found[4] == 1.0 > found[5]


@pytest.mark.parametrize("iterations", [1, 2, 4])
def test_the_shortest_runs_start_at_the_full_rate(iterations):
    found = rates(iterations=iterations, warmup=50, lr=0.1)
    assert found[0] == 0.1
    assert min(found) > 0


def test_power_zero_is_constant():
    assert set(rates(iterations=10, warmup=0, lr=0.2, power=0)) == {0.2}


def published(count, *, base, warmup, horizon, power):
    """The rates at which SAMed's training loop takes its steps, written as that loop sets them."""
    rate, taken = base / warmup, []
    for number in range(count):
        taken.append(rate)
        if number < warmup:
            rate = base * ((number + 1) / warmup)
        else:
            rate = base * (1.0 - (number - warmup) / horizon) ** power
    return taken


@pytest.mark.parametrize(
    ("power", "epochs", "stop"), [(0.9, 200, 200), (0.9, 200, 160), (7, 400, 300)]
)
def test_samed_is_followed_number_by_number(power, epochs, stop):
    settings = {"iterations": 93 * stop, "warmup": 250, "lr": 0.005, "power": power}
    found = rates(**settings, schedule="samed", horizon=93 * epochs)
    expected = published(93 * stop, base=0.005, warmup=250, horizon=93 * epochs, power=power)
    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) < 1e-12
    assert found[0] == found[1] == 0.005 / 250
    assert max(found) == found[250] == 0.005


def test_beyond_the_horizon_samed_would_stand_still():
    found = rates(iterations=20, warmup=0, lr=1.0, schedule="samed", horizon=10)
    assert found[0] == 1.0
    assert found[10] > 0
    assert set(found[11:]) == {0.0}


def test_without_a_horizon_samed_decays_over_the_run():
    assert rates(iterations=9, warmup=2, lr=1.0, schedule="samed") == pytest.approx(
        published(9, base=1.0, warmup=2, horizon=9, power=0.9)
    )
