from __future__ import annotations

import threading
from contextlib import closing

import pytest

from samplar.prediction.pipeline import overlapped

PATIENCE = 10.0


def run(items, **stages):
    same = {name: stages.get(name, lambda value: value) for name in ("read", "compute", "write")}
    return [outcome(future) for future in overlapped(items, **same)]


def outcome(future):
    assert future.done()
    return future.exception() or future.result()


def test_every_item_goes_through_the_three_stages_in_order():
    made = run(range(5), read=lambda n: n + 1, compute=lambda n: 10 * n, write=str)
    assert made == ["10", "20", "30", "40", "50"]
    assert run([]) == []


@pytest.mark.parametrize("stage", ["read", "compute", "write"])
def test_an_error_stays_with_its_item(stage):
    def odd_fails(n):
        if n % 2:
            raise ValueError(n)
        return n

    made = run(range(5), **{stage: odd_fails})
    assert [m if isinstance(m, int) else m.args for m in made] == [0, (1,), 2, (3,), 4]


def test_the_next_is_read_and_the_last_is_written_while_one_is_computed():
    reading = {n: threading.Event() for n in range(4)}
    computing = {n: threading.Event() for n in range(4)}

    def read(n):
        reading[n].set()
        return n

    def compute(n):
        computing[n].set()
        assert n == 3 or reading[n + 1].wait(PATIENCE)
        return n

    def write(n):
        assert n == 3 or computing[n + 1].wait(PATIENCE)
        return n

    assert run(range(4), read=read, compute=compute, write=write) == [0, 1, 2, 3]


def test_only_one_is_ahead_and_one_behind():
    alive, most = set(), []
    lock = threading.Lock()

    def read(n):
        with lock:
            alive.add(n)
            most.append(len(alive))
        return n

    def write(n):
        with lock:
            alive.remove(n)
        return n

    run(range(50), read=read, write=write)
    assert max(most) <= 4  # one behind, the present one, one ahead, and the one being let go


def test_whoever_stops_waits_for_what_is_being_written_and_no_more_is_computed():
    computed, written = [], []
    begun, go = threading.Event(), threading.Event()

    def compute(n):
        computed.append(n)
        if n == 2:
            assert begun.wait(PATIENCE)
            go.set()
            raise KeyboardInterrupt
        return n

    def write(n):
        if n == 1:
            begun.set()
            assert go.wait(PATIENCE)
        written.append(n)
        return n

    with (
        pytest.raises(KeyboardInterrupt),
        closing(overlapped(range(9), read=int, compute=compute, write=write)) as made,
    ):
        for _ in made:
            pass
    assert computed == [0, 1, 2]
    assert written == [0, 1]
    assert not [t for t in threading.enumerate() if t.name.startswith(("reader", "writer"))]
