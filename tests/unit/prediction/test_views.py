from __future__ import annotations

from dataclasses import replace

import pytest

from samplar.prediction.views import further_frames


@pytest.fixture
def seen(learnt):
    def seen(views, size=256, tta=None):
        before = learnt.method
        learnt.method = replace(before, views=views)
        try:
            return further_frames(learnt, size, tta=tta)
        finally:
            learnt.method = before

    return seen


def test_the_method_decides_unless_told(seen):
    assert seen(()) == ()
    assert seen((0.875,)) == (224,)
    assert seen((0.875,), tta=False) == ()
    assert seen((), tta=True) == (224,)
    assert seen((0.5, 0.75), tta=True) == (128, 192)


def test_frames_are_multiples_of_the_stride_and_each_comes_once(seen, learnt):
    stride = learnt.sam.stride
    for size in (32, 64, 104, 112):
        sides = seen((0.875, 0.87, 1.0, 0.999), size=size)
        assert all(side % stride == 0 and side != size for side in sides)
        assert len(set(sides)) == len(sides)


def test_a_frame_is_never_empty(seen, learnt):
    assert seen((0.001,)) == (learnt.sam.stride,)
