from __future__ import annotations

import pytest
import torch

from samplar.sam.halving import by_halves

ROWS = torch.arange(14.0).view(7, 2)


def limited(most, error, seen):
    def run(part):
        found = ROWS[part]
        seen.append(len(found))
        if len(found) > most:
            raise error
        return 2 * found

    return run


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError("no room")]
)
def test_the_rows_are_those_of_one_batch(error):
    seen = []
    assert torch.equal(by_halves(limited(2, error, seen), 7), 2 * ROWS)
    assert seen == [7, 3, 1, 2, 4, 2, 2]


def test_nothing_is_halved_without_need():
    seen = []
    assert torch.equal(by_halves(limited(7, MemoryError(), seen), 7), 2 * ROWS)
    assert seen == [7]


def test_no_room_for_one_is_an_error():
    with pytest.raises(torch.OutOfMemoryError):
        by_halves(limited(0, torch.OutOfMemoryError("CUDA out of memory."), []), 7)


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"):
        by_halves(limited(2, RuntimeError("shapes differ"), []), 7)
