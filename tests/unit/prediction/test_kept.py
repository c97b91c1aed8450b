from __future__ import annotations

import pytest
import torch

from samplar.prediction.kept import LARGEST, KeptPrefixes
from samplar.prediction.slices import predict_slices


def logits(model, images):
    return torch.cat(list(predict_slices(model, images, size=32, precision="fp32")))


def test_what_comes_back_is_what_was_computed(adapted, arrays, tmp_path):
    model, (images, _) = adapted("decoder-only"), arrays(3)
    alone = logits(model, images)
    model.keeper = first = KeptPrefixes(tmp_path, frozen="a")
    assert torch.equal(logits(model, images), alone)
    assert (first.found, len(list(tmp_path.iterdir()))) == (0, 3)
    model.keeper = second = KeptPrefixes(tmp_path, frozen="a")
    assert torch.equal(logits(model, images), alone)
    assert second.found == 3
    model.keeper = other = KeptPrefixes(tmp_path, frozen="b")
    assert torch.equal(logits(model, images), alone)
    assert other.found == 0


def test_another_image_is_not_taken_for_it(tmp_path):
    kept = KeptPrefixes(tmp_path, frozen="a")
    images = torch.zeros(1, 3, 4, 4)
    assert kept(images, lambda x: x + 1).unique().tolist() == [1]
    assert kept(images, lambda x: x + 2).unique().tolist() == [1]
    assert kept(images + 0.5, lambda x: x + 2).unique().tolist() == [2.5]
    assert kept(images.reshape(1, 3, 2, 8), lambda x: x + 3).unique().tolist() == [3]


@pytest.mark.parametrize(("side", "files"), [(LARGEST // 4, 1), (LARGEST // 4 + 1, 0)])
def test_what_is_too_large_is_not_kept(tmp_path, side, files):
    kept = KeptPrefixes(tmp_path, frozen="a")
    kept(torch.zeros(1, 3, 4, 4), lambda x: torch.zeros(1, side))
    assert len(list(tmp_path.iterdir())) == files
