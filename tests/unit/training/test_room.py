from __future__ import annotations

import pytest
import torch

from samplar.training.room import no_room, tried

CPU = torch.device("cpu")


def room_for(most, seen):
    def attempt(count):
        seen.append(count)
        if count > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return "done"

    return attempt


@pytest.mark.parametrize(("most", "named"), [(7, 4), (3, 2), (1, 1)])
def test_the_batch_that_fits_is_found_by_trying(most, named):
    seen = []
    error = no_room(room_for(most, seen), batch=8, step=5, device=CPU)
    assert error.code == "training.memory"
    assert error.problem == "memory ran out in a batch of 8 at iteration 5"
    assert f"--set training.batch={named}, which fits" in error.fix
    assert seen[-1] == named


def test_where_nothing_fits_that_is_said():
    error = no_room(room_for(0, []), batch=8, step=1, device=CPU)
    assert "a single image does not fit" in error.fix


def test_only_memory_is_caught():
    assert tried(lambda: 3) == 3
    with pytest.raises(RuntimeError, match="shapes"):
        tried(lambda: (_ for _ in ()).throw(RuntimeError("shapes differ")))
