from __future__ import annotations

import numpy as np
import torch

from samplar.exemplars.exemplar import Exemplar, ExemplarSet
from samplar.io.labels import LabelSet
from samplar.training.tensors import as_samples, painted


def exemplars(*shapes):
    chance = np.random.default_rng(0)
    made = [
        Exemplar.of(
            case=f"case {n}",
            subject="ann",
            number=n,
            image=chance.random((3, *shape), dtype=np.float32),
            labels=np.full(shape, n + 1, dtype=np.uint8),
        )
        for n, shape in enumerate(shapes)
    ]
    return ExemplarSet.of(made, LabelSet(("a", "b", "c"), (1, 2, 3)))


def test_exemplars_of_any_size_come_into_one_frame_in_order():
    samples = as_samples(exemplars((16, 32), (64, 20), (32, 32)), 32)
    assert samples.images.shape == (3, 3, 32, 32)
    assert samples.images.min() >= 0
    assert samples.images.max() <= 1
    assert [int(labels.max()) for labels in samples.labels] == [1, 2, 3]


def test_the_padding_is_not_valid_and_everything_else_is():
    samples = as_samples(exemplars((16, 32), (64, 20)), 32)
    assert torch.equal(samples.valid, samples.labels > 0)
    assert samples.valid[0].nonzero().amax(0).tolist() == [15, 31]
    assert samples.valid[1].nonzero().amax(0).tolist() == [31, 9]
    assert not samples.images.sum(1)[~samples.valid].any()


def test_a_slice_of_the_frames_size_is_not_resampled():
    given = exemplars((32, 32))
    samples = as_samples(given, 32)
    assert np.array_equal(samples.images[0].numpy(), given.exemplars[0].image)


def test_what_lies_beside_the_image_is_painted_and_nothing_else():
    samples = as_samples(exemplars((16, 32), (64, 20)), 32)
    colour = torch.tensor([0.5, 0.25, 0.75]).view(3, 1, 1)
    changed = painted(samples, colour)
    inside = samples.valid[:, None].expand_as(samples.images)
    assert torch.equal(changed.images[inside], samples.images[inside])
    assert torch.equal(changed.images[~inside], colour.expand_as(samples.images)[~inside])
    assert (~inside).any()
    assert painted(samples, torch.zeros(3, 1, 1)) is samples
