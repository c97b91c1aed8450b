from __future__ import annotations

import numpy as np
import pytest
import torch

from samplar.exemplars.roi import Region
from samplar.exemplars.window import Window, window_around
from samplar.prediction import two_looks
from samplar.prediction.slices import predict_slices
from samplar.prediction.two_looks import (
    CERTAIN,
    found_window,
    look_twice,
    placed,
    segmented,
)

SIZED = {"size": 32, "precision": "fp32"}
REGION = Region(share=0.4, centre=(0.3, 0.6), spread=(0.1, 0.2))


@pytest.fixture
def images(arrays):
    return arrays(3, height=40, width=56)[0]


def test_the_close_look_is_the_first_ones_at_the_window(learnt, images, monkeypatch):
    monkeypatch.setattr(two_looks, "found_window", lambda *_: Window(4, 10, 20, 30))
    looks = torch.cat(list(look_twice(learnt, images, **SIZED, region=REGION)))
    first = torch.cat(list(predict_slices(learnt, images, **SIZED)))
    close = torch.cat(list(predict_slices(learnt, images[..., 4:24, 10:40].copy(), **SIZED)))
    assert looks.shape == first.shape
    assert torch.equal(looks[..., 4:24, 10:40], close)
    outside = torch.ones(40, 56, dtype=torch.bool)
    outside[4:24, 10:40] = False
    assert (looks[:, 0][:, outside] == CERTAIN).all()
    assert (looks[:, 1:][:, :, outside] == 0).all()


def logits_of(*boxes, shape):
    """Return logits of one slice a box, in which the box (top, bottom, left, right) is class 1."""
    made = torch.zeros(len(boxes), 2, *shape)
    made[:, 0] = 1
    for row, (top, bottom, left, right) in zip(made, boxes, strict=True):
        row[1, top:bottom, left:right] = 2
    return made


def test_the_window_is_moved_to_what_is_seen_in_it():
    shown, images = [], np.zeros((2, 1, 40, 50), dtype=np.float32)
    first, second = (10, 16, 10, 16), (0, 3, 0, 4)

    def look(seen):
        shown.append(seen.shape[-2:])
        boxes = [first if len(shown) == 1 else second]
        yield logits_of(*boxes, shape=seen.shape[-2:])
        yield logits_of(*boxes, shape=seen.shape[-2:])

    window = found_window(look, images, REGION)
    found = np.zeros((2, 40, 50), dtype=int)
    found[0, 10:16, 10:16] = 2
    near = window_around(found[0] * REGION.expectation((40, 50)), 0.4)
    found[1, near.top : near.top + 3, near.left : near.left + 4] = 2
    assert shown == [(40, 50), (near.height, near.width)]
    assert window == window_around(found[1] * REGION.expectation((40, 50)), 0.4)
    assert window != near


@pytest.mark.parametrize("seen", [0, 1])
def test_where_a_look_finds_nothing_the_window_is_the_one_before(seen):
    left = [(10, 16, 10, 16)] * seen

    def look(images):
        box = left.pop() if left else (0, 0, 0, 0)
        yield logits_of(box, shape=images.shape[-2:])

    window = found_window(look, np.zeros((1, 1, 40, 50), dtype=np.float32), REGION)
    found = np.zeros((40, 50))
    found[10:16, 10:16] = 1
    expected = window_around(found * REGION.expectation((40, 50)), 0.4) if seen else None
    assert window == expected


def test_where_nothing_is_found_slices_are_seen_whole(learnt, images, monkeypatch):
    monkeypatch.setattr(two_looks, "found_window", lambda *_: None)
    looks = torch.cat(list(look_twice(learnt, images, **SIZED, region=REGION)))
    assert torch.equal(looks, torch.cat(list(predict_slices(learnt, images, **SIZED))))


@pytest.mark.parametrize(("slices", "seen"), [(1, 41), (3, 100)])
def test_slices_evenly_spread_place_the_window(learnt, monkeypatch, slices, seen):
    asked, images = [], np.arange(100, dtype=np.float32).reshape(100, 1, 1, 1)
    monkeypatch.setattr(two_looks, "SEEN", 41)
    monkeypatch.setattr(learnt, "slices", slices)
    monkeypatch.setattr(two_looks, "found_window", lambda _, some, __: asked.append(some))
    monkeypatch.setattr(two_looks, "predict_slices", lambda *_, **__: [])
    assert list(look_twice(learnt, images, **SIZED, region=REGION)) == []
    ((some),) = asked
    assert len(some) == seen
    assert (some[0], some[-1]) == (0, 99)
    assert len(np.unique(some)) == seen


@pytest.mark.parametrize("roi", [None, REGION])
def test_slices_are_looked_at_twice_if_there_is_a_window(learnt, images, roi):
    made = torch.cat(list(segmented(learnt, images, **SIZED, roi=roi)))
    if roi is None:
        expected = predict_slices(learnt, images, **SIZED)
    else:
        expected = look_twice(learnt, images, **SIZED, region=roi)
    assert torch.equal(made, torch.cat(list(expected)))


def test_a_window_is_placed_in_its_slice():
    logits = torch.arange(12.0).reshape(1, 2, 2, 3)
    whole = placed(logits, Window(1, 2, 2, 3), (4, 6))
    assert whole.shape == (1, 2, 4, 6)
    assert torch.equal(whole[..., 1:3, 2:5], logits)
    assert whole[0, :, 0, 0].tolist() == [CERTAIN, 0]
