from __future__ import annotations

import time

import pytest
import torch

from samplar.prediction.kept import LARGEST, KeptPrefixes
from samplar.prediction.slices import predict_slices


def logits(model, images):
    return torch.cat(list(predict_slices(model, images, size=32, precision="fp32")))


def test_what_comes_back_is_what_was_computed(adapted, arrays, tmp_path):
    model, (images, _) = adapted("decoder-only"), arrays(3)
    alone = logits(model, images)
    model.keeper = first = KeptPrefixes(tmp_path)
    assert torch.equal(logits(model, images), alone)
    assert (first.found, len(list(tmp_path.iterdir()))) == (0, 3)
    model.keeper = second = KeptPrefixes(tmp_path)
    assert torch.equal(logits(model, images), alone)
    assert second.found == 3


def test_another_precision_is_another_prefix(adapted, arrays, tmp_path):
    model, (images, _) = adapted("decoder-only"), arrays(3)
    model.keeper = kept = KeptPrefixes(tmp_path)
    for _ in range(2):
        half = torch.cat(list(predict_slices(model, images, size=32, precision="bf16")))
        assert half.isfinite().all()
    assert kept.found == 3
    logits(model, images)
    assert kept.found == 3


def kept_prefix(model, folder):
    """Return what a model makes of three images with a folder to keep it in, and what it found."""
    folder.mkdir(exist_ok=True)
    model.keeper = KeptPrefixes(folder)
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return torch.cat([model.prefix(image[None]) for image in images]), model.keeper.found


@pytest.mark.parametrize(
    ("name", "config", "found"),
    [
        ("linear-probe", {}, 3),  # the whole encoder is frozen here as well
        ("samplar", {}, 3),
        ("decoder-only", {"head_init": "random"}, 3),  # nothing of the encoder depends on that
        ("cheap-lunch", {"blocks": "last:1"}, 0),  # its frozen part ends earlier
        ("samed", {}, 0),
        ("unet", {}, 0),
        ("wsi-sam", {}, 0),  # sees in its own way
    ],
)
def test_methods_share_what_the_same_frozen_part_made(adapted, tmp_path, name, config, found):
    kept_prefix(adapted("decoder-only", seed=1), tmp_path)
    made, there = kept_prefix(adapted(name, **config), tmp_path)
    assert there == found
    assert torch.equal(made, kept_prefix(adapted(name, **config), tmp_path / "none")[0])


def test_another_frozen_number_is_another_prefix(adapted, tmp_path):
    for number in range(2):
        model = adapted("decoder-only")
        with torch.no_grad():
            next(model.sam.image_encoder.parameters()).add_(number)
        assert kept_prefix(model, tmp_path)[1] == 0


def test_another_image_is_not_taken_for_it(tmp_path):
    kept = KeptPrefixes(tmp_path)
    images = torch.zeros(1, 3, 4, 4)
    assert kept(images, lambda x: x + 1, "a").unique().tolist() == [1]
    assert kept(images, lambda x: x + 2, "a").unique().tolist() == [1]
    assert kept(images, lambda x: x + 2, "b").unique().tolist() == [2]
    assert kept(images + 0.5, lambda x: x + 2, "a").unique().tolist() == [2.5]
    assert kept(images.reshape(1, 3, 2, 8), lambda x: x + 3, "a").unique().tolist() == [3]


def test_it_says_how_long_what_it_found_had_taken(tmp_path):
    def slow(x):
        time.sleep(0.05)
        return x + 1

    images, kept = torch.zeros(1, 3, 4, 4), KeptPrefixes(tmp_path)
    kept(images, slow, "a")
    assert kept.spared == 0
    for _ in range(2):
        kept(images, slow, "a")
    assert kept.found == 2
    assert 0.1 <= kept.spared < 10


def test_what_another_version_kept_in_another_form_is_not_found(tmp_path, monkeypatch):
    images, kept = torch.zeros(1, 3, 4, 4), KeptPrefixes(tmp_path)
    with monkeypatch.context() as older:
        older.setattr("samplar.prediction.kept.HOLDS", "prefix")
        kept(images, lambda x: x + 1, "a")
    assert kept(images, lambda x: x + 2, "a").unique().tolist() == [2]


@pytest.mark.parametrize(("side", "files"), [(LARGEST // 4, 1), (LARGEST // 4 + 1, 0)])
def test_what_is_too_large_is_not_kept(tmp_path, side, files):
    kept = KeptPrefixes(tmp_path)
    kept(torch.zeros(1, 3, 4, 4), lambda x: torch.zeros(1, side), "a")
    assert len(list(tmp_path.iterdir())) == files
