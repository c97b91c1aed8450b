from __future__ import annotations

import hashlib

import torch

from samplar.training.seed import generator


def numbers(seed, purpose):
    return tuple(torch.randint(1 << 30, (4,), generator=generator(seed, purpose)).tolist())


def test_each_seed_and_purpose_has_a_stream_of_its_own():
    streams = {numbers(s, p) for s in (0, 1, 2) for p in ("batches", "synthesis")}
    assert len(streams) == 6
    assert numbers(0, "batches") == numbers(0, "batches")


def test_is_free_of_the_global_state_and_leaves_it_alone():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first = numbers(0, "batches")
    assert torch.equal(torch.rand(1), expected)
    torch.manual_seed(2)
    assert numbers(0, "batches") == first


def test_the_stream_is_fixed_for_ever():
    seed = int(hashlib.sha256(b"7:batches").hexdigest()[:14], 16)
    assert generator(7, "batches").initial_seed() == seed
