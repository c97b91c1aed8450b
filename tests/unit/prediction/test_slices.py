from __future__ import annotations

import numpy as np
import pytest
import torch

from samplar.prediction.slices import predict_slices
from samplar.sam.frame import letterbox, unletterbox


def predicted(model, images, **options):
    return torch.cat(list(predict_slices(model, images, size=32, precision="fp32", **options)))


@pytest.mark.parametrize("step", [1, 8])
def test_slices_come_back_in_order_and_in_batches(learnt, arrays, monkeypatch, step):
    monkeypatch.setattr("samplar.prediction.slices.encoder_batch", lambda device: step)
    images, _ = arrays(2 * step + 3, height=40, width=28)
    parts = list(predict_slices(learnt, images, size=32, precision="fp32"))
    assert [len(p) for p in parts] == {1: [1] * 5, 8: [8, 8, 3]}[step]
    for n in (0, step, 2 * step + 2):
        alone = predicted(learnt, images[n : n + 1])[0]
        torch.testing.assert_close(torch.cat(parts)[n], alone, rtol=0, atol=1e-4)


def test_is_the_model_between_letterbox_and_back(learnt, arrays):
    images, _ = arrays(1, height=40, width=28)
    framed = letterbox(torch.from_numpy(images), 32)
    with torch.no_grad():
        expected = unletterbox(learnt(learnt.prefix(framed), framed), 32, (40, 28))
    assert torch.equal(predicted(learnt, images), expected)


def test_further_frames_are_averaged_as_probabilities(learnt, arrays):
    images, _ = arrays(3, height=40, width=28)
    large, small = predicted(learnt, images), alone(learnt, images, 24)
    expected = (large.softmax(1) + small.softmax(1)) / 2
    both = predicted(learnt, images, also=(24,))
    torch.testing.assert_close(both.exp(), expected, rtol=1e-5, atol=1e-6)
    assert (both - large).abs().max() > 0.01


def alone(model, images, size):
    return torch.cat(list(predict_slices(model, images, size=size, precision="fp32")))


def test_one_channel_counts_as_three_alike(learnt, arrays):
    images, _ = arrays(2)
    assert torch.equal(predicted(learnt, images[:, :1]), predicted(learnt, images))


def test_the_model_finds_the_discs_it_has_learnt(learnt, arrays):
    images, labels = arrays(4, seed=7)
    found = predicted(learnt, images).argmax(1).numpy()
    dice = 2 * ((found == labels) & (labels > 0)).sum() / ((found > 0).sum() + (labels > 0).sum())
    assert dice > 0.7


def test_truth_is_framed_like_the_image(adapted, arrays):
    images, labels = arrays(2, height=24, width=40)
    model = adapted("zero-shot")
    seen = []
    real = model.forward
    model.forward = lambda p, i, t, every: seen.append((i, t)) or real(p, i, t, every=every)
    predicted(model, images, truth=labels)
    assert len(seen) == 2
    for framed, truth in seen:
        assert truth.shape == (1, 32, 32)
        inside = framed[:, 0] > 0.3
        assert ((truth > 0) == inside).float().mean() > 0.97
        assert np.array_equal(np.unique(truth.numpy()), [0, 1, 2])


def test_no_gradients_are_kept(learnt, arrays):
    assert not predicted(learnt, arrays(1)[0]).requires_grad
