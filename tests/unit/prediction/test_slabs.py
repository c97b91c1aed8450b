"""What slabs say of each slice, averaged by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from samplar.config.base import build
from samplar.io.slicing import neighbours
from samplar.methods.adapted import AdaptedSam
from samplar.methods.ma_sam import Config
from samplar.methods.registry import load_method
from samplar.prediction.slabs import averaged_slabs
from samplar.prediction.slices import predict_slices
from samplar.sam.seeded import seeded_state
from samplar.sam.weights import load_sam


@pytest.mark.parametrize("count", [1, 2, 5, 7, 12])
def test_what_all_slabs_say_alike_is_what_comes_out(count):
    logits = torch.tensor([0.3, -1.0, 2.0]).view(1, 3, 1, 1).expand(5 * count, 3, 2, 2)
    parts = list(averaged_slabs(logits.split(10), slices=5, count=count))
    found = torch.cat(parts)
    assert found.shape == (count, 3, 2, 2)
    expected = logits[:count].log_softmax(dim=1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 6])
@pytest.mark.parametrize("step", [1, 2, 6])
def test_every_slice_is_the_mean_over_the_slabs_that_show_it(count, step):
    chance = torch.Generator().manual_seed(0)
    said = torch.randn(count, 5, 2, 1, 1, generator=chance)
    parts = [part.flatten(0, 1) for part in said.split(step)]
    found = torch.cat(list(averaged_slabs(parts, slices=5, count=count)))
    for number in range(count):
        shares = [
            said[slab, number - slab + 2].softmax(dim=0)
            for slab in range(count)
            if abs(slab - number) <= 2
        ]
        expected = torch.stack(shares).mean(dim=0).log()
        torch.testing.assert_close(found[number], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("average", [False, True])
@torch.no_grad()
def test_a_volume_is_predicted_slab_by_slab(average):
    torch.manual_seed(0)
    config = build(Config, {"neighbours": 1, "average": average})
    model = AdaptedSam(load_sam("tiny"), load_method("ma-sam"), config, 1)
    state = seeded_state(model.trained(), seed=1)
    model.load_adapter_state(state, path="made up")
    images = np.random.default_rng(0).random((4, 3, 32, 32), dtype=np.float32)
    parts = list(predict_slices(model, images, size=32, precision="fp32"))
    found = torch.cat(parts).softmax(dim=1)
    total, votes = torch.zeros(4, 2, 32, 32), [0] * 4
    for middle in range(4):
        near = [middle + offset for offset in (-1, 0, 1)]
        shown = neighbours(middle, 4, around=1)
        slab = torch.from_numpy(images[shown]).flatten(0, 1)[None]
        said = model(model.prefix(slab), slab, every=True).softmax(dim=1)
        for number, share in zip(near, said, strict=True):
            if 0 <= number < 4 and (average or number == middle):
                total[number] += share
                votes[number] += 1
    expected = total / torch.tensor(votes).view(-1, 1, 1, 1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
