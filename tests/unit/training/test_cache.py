from __future__ import annotations

import pytest
import torch

from samplar.training.cache import PrefixCache

ROW = 3 * 4 * 5


def rows(count, dtype=torch.float32):
    return torch.randn(count, 3, 4, 5, generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("held", "in_memory"), [(100, 10), (4, 4), (0, 0)])
def test_memory_and_file_give_back_the_same_bits(tmp_path, dtype, held, in_memory):
    given = rows(10, dtype)
    limit = held * ROW * given.element_size() + (held == 4) * 7
    cache = PrefixCache(10, given[0], limit=limit, folder=tmp_path)
    assert cache.in_memory == in_memory
    for start in range(0, 10, 3):
        cache.append(given[start : start + 3])
    wanted = torch.tensor([9, 0, 3, 4, 4, 8])
    found = cache.read(wanted)
    assert found.dtype == dtype
    assert torch.equal(found, given[wanted])
    assert found.is_contiguous(memory_format=torch.channels_last)
    on_disk = (10 - in_memory) * ROW * given.element_size()
    assert cache.path.exists() == (on_disk > 0)
    if on_disk:
        assert cache.path.stat().st_size == on_disk
    cache.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_left_by_a_crash_does_not_shine_through(tmp_path):
    given = rows(4)
    first = PrefixCache(4, given[0], limit=0, folder=tmp_path)
    first.append(given + 1)
    second = PrefixCache(4, given[0], limit=0, folder=tmp_path)
    second.append(given)
    assert torch.equal(second.read(torch.arange(4)), given)


def test_closing_without_a_file_is_fine(tmp_path):
    PrefixCache(1, rows(1)[0], limit=10_000, folder=tmp_path).close()
