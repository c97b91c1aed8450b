from __future__ import annotations

import pytest

from samplar.training.presets import Machine, decide_preset, this_machine


@pytest.mark.parametrize(
    ("machine", "preset", "reason"),
    [
        (Machine(cuda=True, cores=1, memory=1.0), "standard", "a CUDA device is there"),
        (Machine(cuda=False, cores=2, memory=4.0), "standard", "2 cores and 4 GiB"),
        (Machine(cuda=False, cores=1, memory=64.0), "fast", "1 cores and 64.0 GiB"),
        (Machine(cuda=False, cores=16, memory=3.9), "fast", "16 cores and 3.9 GiB"),
    ],
)
def test_the_preset_follows_from_what_the_machine_is(machine, preset, reason):
    decided, said = decide_preset(machine)
    assert decided == preset
    assert reason in said


def test_this_machine_is_the_same_each_time():
    machine = this_machine()
    assert machine == this_machine()
    assert machine.cores >= 1
    assert 0.1 < machine.memory < 100_000
