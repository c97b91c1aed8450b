from __future__ import annotations

import pytest

from samplar.errors import ResourceError
from samplar.training.watch import PATIENCE, Watch


def see(watch, losses, *, start=1):
    for step, loss in enumerate(losses, start):
        watch.see(step, loss, [0, 3])


def test_a_loss_out_of_proportion_for_twenty_iterations_stops():
    with pytest.raises(ResourceError) as caught:
        see(Watch([]), [2.0, *[201.0] * PATIENCE])
    assert caught.value.code == "training.exploded"
    assert f"the loss is 201 at iteration {PATIENCE + 1}" in caught.value.problem
    assert "exemplars [0, 3]" in caught.value.problem


def test_not_before_and_not_if_it_comes_back():
    almost = [2.0, *[201.0] * (PATIENCE - 1)]
    see(Watch([]), [*almost, 3.0, *almost[1:]])


def test_a_run_that_began_near_zero_may_come_back_to_one():
    see(Watch([]), [1e-4, *[5.0] * (2 * PATIENCE)])


@pytest.mark.parametrize("before", [1, 2, PATIENCE])
def test_a_resumed_run_is_judged_as_if_it_had_not_stopped(before):
    losses = [2.0, *[201.0] * PATIENCE]
    watch = Watch([{"step": n, "loss": loss} for n, loss in enumerate(losses[:before])])
    with pytest.raises(ResourceError, match=f"at iteration {PATIENCE + 1},"):
        see(watch, losses[before:], start=before + 1)
