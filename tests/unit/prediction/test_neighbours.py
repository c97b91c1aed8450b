"""A method that sees a slice among its neighbours, from a data set to label files."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from samplar.api.fit import fit
from samplar.api.predict import find_inputs, predict
from samplar.config.fit import FitConfig
from samplar.exemplars.collect import collect_exemplars
from samplar.io.dataset import read_dataset
from samplar.io.intensity import parse_rule
from samplar.io.slicing import neighbours
from samplar.methods.slab import apart, centre, together
from samplar.prediction.predict import Options
from samplar.prediction.slices import predict_slices
from samplar.training.fit import Told
from samplar.training.tensors import as_samples

SILENT = Told(stage=lambda name, count: None, step=lambda done, loss: None, note=lambda line: None)


def test_beyond_the_ends_of_a_volume_its_ends_are_repeated():
    assert neighbours(0, 5, around=2) == [0, 0, 0, 1, 2]
    assert neighbours(3, 5, around=2) == [1, 2, 3, 4, 4]
    assert neighbours(0, 1, around=1) == [0, 0, 0]
    assert neighbours(2, 5, around=0) == [2]


def test_slices_go_into_the_channels_and_come_out_again():
    x = torch.arange(2 * 9 * 4.0).view(2, 9, 2, 2)
    slices = apart(x, 3)
    assert torch.equal(slices[1], x[0, 3:6])
    assert torch.equal(together(slices, 3), x)
    assert torch.equal(centre(slices, 3), x[:, 3:6])
    assert apart(x, 1) is x


def test_an_exemplar_brings_its_neighbours_and_keeps_its_digest(volumes):
    dataset, rule = read_dataset(volumes), parse_rule("range:0:255")
    picks = [("ann", 0), ("bob", 2)]
    plain = collect_exemplars(dataset, picks, plane="axial", rule=rule)
    found = collect_exemplars(dataset, picks, plane="axial", rule=rule, around=1)
    assert found.digest == plain.digest
    samples, alone = as_samples(found, 32), as_samples(plain, 32)
    assert samples.images.shape == (2, 9, 32, 32)
    assert torch.equal(samples.images[:, 3:6], alone.images)
    assert torch.equal(samples.images[0, :3], samples.images[0, 3:6])  # nothing lies before it
    before, after = (
        as_samples(collect_exemplars(dataset, [("bob", n)], plane="axial", rule=rule), 32)
        for n in (1, 3)
    )
    assert torch.equal(samples.images[1, :3], before.images[0])
    assert torch.equal(samples.images[1, 6:], after.images[0])


@pytest.mark.parametrize("method", ["med-sa", "ma-sam"])
def test_it_trains_on_exemplars_with_neighbours_and_segments_volumes(method, volumes, tmp_path):
    config = FitConfig(
        dataset=volumes,
        method=method,
        method_config={"neighbours": 1},
        weights="tiny-vit-sam",
        size=32,
        k=2,
        training={"iterations": 4, "pool": 4, "batch": 2, "lr": 0.01, "precision": "fp32"},
        device="cpu",
    )
    fit(config, tmp_path / "run", told=SILENT)
    predicted = predict(
        tmp_path / "run",
        find_inputs([volumes]),
        tmp_path / "out",
        options=Options(),
        device="cpu",
        on_case=lambda done, name: None,
    )
    assert len(predicted.outcome.done) == 3
    assert predicted.outcome.failed == []


def test_a_slice_is_predicted_among_its_own_neighbours(volumes, adapted, taught, phantoms):
    model = adapted("med-sa", neighbours=1, start="random")
    images = np.random.default_rng(0).random((4, 1, 24, 32), dtype=np.float32)
    whole = torch.cat(list(predict_slices(model, images, size=32, precision="fp32")))
    assert whole.shape == (4, 3, 24, 32)
    changed = images.copy()
    changed[0] = 0
    again = torch.cat(list(predict_slices(model, changed, size=32, precision="fp32")))
    moved = (again - whole).abs().amax(dim=(1, 2, 3))
    assert (moved[:2] > 1e-5).all()
    assert not moved[2:].any()
