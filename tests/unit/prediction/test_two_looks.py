from __future__ import annotations

import numpy as np
import pytest
import torch

from samplar.exemplars.roi import Region
from samplar.exemplars.window import Window, window_around
from samplar.prediction import two_looks
from samplar.prediction.slices import predict_slices
from samplar.prediction.two_looks import CERTAIN, look_twice, placed, segmented

SIZED = {"size": 32, "precision": "fp32"}
REGION = Region(share=0.4, centre=(0.3, 0.6), spread=(0.1, 0.2))


@pytest.fixture
def images(arrays):
    return arrays(3, height=40, width=56)[0]


def test_the_second_look_is_the_first_ones_at_the_window(learnt, images, monkeypatch):
    seen = []

    def window(found, share):
        seen.append((found.copy(), share))
        return Window(4, 10, 20, 30)

    monkeypatch.setattr(two_looks, "window_around", window)
    looks = torch.cat(list(look_twice(learnt, images, **SIZED, region=REGION)))
    first = torch.cat(list(predict_slices(learnt, images, **SIZED)))
    close = torch.cat(list(predict_slices(learnt, images[..., 4:24, 10:40].copy(), **SIZED)))
    assert looks.shape == first.shape
    assert torch.equal(looks[..., 4:24, 10:40], close)
    outside = torch.ones(40, 56, dtype=torch.bool)
    outside[4:24, 10:40] = False
    assert (looks[:, 0][:, outside] == CERTAIN).all()
    assert (looks[:, 1:][:, :, outside] == 0).all()
    ((found, share),) = seen
    counted = (first.argmax(1) > 0).sum(0).numpy()
    assert np.array_equal(found, counted * REGION.expectation((40, 56)))
    assert share == 0.4
    assert found.any()


def test_where_nothing_is_found_the_first_look_stands(learnt, images, monkeypatch):

    def nothing(*given, **named):
        for logits in predict_slices(*given, **named):
            yield logits - 99 * (torch.arange(logits.shape[1]) > 0)[:, None, None]

    monkeypatch.setattr(two_looks, "predict_slices", nothing)
    monkeypatch.setattr(two_looks, "window_around", window_around)
    looks = torch.cat(list(look_twice(learnt, images, **SIZED, region=REGION)))
    assert torch.equal(looks, torch.cat(list(nothing(learnt, images, **SIZED))))


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
