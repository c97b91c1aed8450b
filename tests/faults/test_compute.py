"""Memory runs out, the GPU goes away, the loss runs away."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest
import torch
from command import samplar
from phantom_sets import nifti
from whole_runs import SMALL, content

from samplar.methods.adapted import AdaptedSam
from samplar.prediction import slices, stages
from samplar.training import iteration

MIB = 1 << 20


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return nifti(tmp_path_factory.mktemp("compute") / "set")


@pytest.fixture(scope="module")
def run(data):
    assert samplar("fit", data, "-o", data.parent / "run", *SMALL).status == 0
    return data.parent / "run"


@pytest.fixture
def predict(run, data, tmp_path):
    def go(name, *flags):
        ran = samplar("predict", run, data / "images", "-o", tmp_path / name, "--json", *flags)
        labels = sorted((tmp_path / name).glob("*.nii.gz"))
        return ran, {path.name: path.read_bytes() for path in labels}

    return go


def out_of_memory(real, *, above):
    """Return a function that has no room for more than so many images, and says so as CUDA does."""

    def limited(self, images):
        if len(images) > above:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return real(self, images)

    return limited


def test_prediction_takes_smaller_batches_when_memory_runs_out(predict, monkeypatch):
    _, expected = predict("alone")
    monkeypatch.setattr(slices, "encoder_batch", lambda device: 4)
    sizes = []
    real = AdaptedSam.prefix

    def counted(self, images):
        sizes.append(len(images))
        return real(self, images)

    monkeypatch.setattr(AdaptedSam, "prefix", out_of_memory(counted, above=1))
    ran, found = predict("halved")
    assert (ran.status, found) == (0, expected)
    assert set(sizes) == {1}


def test_a_case_without_room_fails_alone_and_is_named(predict, monkeypatch):
    real = stages.predict_volume

    def limited(model, card, image, **rest):
        if "case1" in image.sources[0].name:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB.")
        return real(model, card, image, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(stages, "predict_volume", limited)
        ran, found = predict("out")
    assert ran.status == 7
    assert sorted(found) == ["case0.nii.gz", "case2.nii.gz"]
    (failed,) = json.loads(ran.out)["failed"]
    assert (failed["case"], failed["code"]) == ("case1", "predict.memory")
    assert "6 x 30 x 26 voxels" in failed["problem"]
    again, _ = predict("out")
    assert (again.status, json.loads(again.out)["kept"]) == (0, 2)


def test_an_image_larger_than_memory_really_fails_alone(zygote, run, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for name, depth in (("huge", 700), ("small", 4)):
        array = np.zeros((512, 512, depth) if depth > 4 else (16, 16, depth), np.int16)
        array[4:9, 4:9] = 100
        image = nibabel.Nifti1Image(array, np.diag([1.0, 1, 1, 1]))
        nibabel.save(image, images / f"{name}.nii.gz")
    out = tmp_path / "out"
    ended = zygote.run("predict", run, images, "-o", out, folder=out, memory=300 * MIB)
    assert ended.status == 7, ended.err
    assert "memory ran out on huge" in ended.err
    assert "[predict.memory] (case huge)" in ended.err
    assert "Traceback" not in ended.err
    assert (out / "small.nii.gz").is_file()


def test_a_batch_without_room_names_the_one_that_fits_and_the_state_is_saved(
    data, run, tmp_path, monkeypatch
):
    real, calls = iteration.pass_losses, []

    def limited(model, prefix, samples, **rest):
        calls.append(len(prefix))
        if len(calls) > 3 and len(prefix) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        yield from real(model, prefix, samples, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(iteration, "pass_losses", limited)
        ran = samplar("fit", data, "-o", tmp_path / "run", *SMALL)
    assert ran.status == 6
    assert "memory ran out in a batch of 2 at iteration 4" in ran.err
    assert "training.batch=1, which fits" in ran.err
    assert ran.err.rstrip().endswith("[training.memory]")
    assert calls == [2, 2, 2, 2, 1]
    resumed = samplar("fit", data, "-o", tmp_path / "run", "--resume")
    assert "resumed after iteration 3" in resumed.err
    assert content(tmp_path / "run") == content(run)


def test_a_lost_gpu_ends_the_command_and_what_is_written_stays(predict, monkeypatch):
    real = stages.predict_volume

    def lost(model, card, image, **rest):
        if "case2" in image.sources[0].name:
            raise torch.AcceleratorError("CUDA error: unspecified launch failure\nmore")
        return real(model, card, image, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(stages, "predict_volume", lost)
        ran, found = predict("out")
    assert ran.status == 6
    assert "the GPU stopped working (CUDA error: unspecified launch failure)" in ran.err
    assert ran.err.rstrip().endswith("[device.lost]")
    assert sorted(found) == ["case0.nii.gz", "case1.nii.gz"]
    again, _ = predict("out")
    assert (again.status, json.loads(again.out)["kept"]) == (0, 2)


def test_a_gpu_that_is_not_there_is_never_replaced_by_the_cpu(predict):
    ran, found = predict("out", "--device", "cuda")
    assert (ran.status, found) == (2, {})
    assert "[device.absent]" in ran.err


def test_a_loss_that_runs_away_stops_the_run(data, tmp_path, monkeypatch):
    real, calls = iteration.pass_losses, []

    def running_away(*args, **rest):
        calls.append(1)
        yield from (loss * (1 if len(calls) < 3 else 1e4) for loss in real(*args, **rest))

    monkeypatch.setattr(iteration, "pass_losses", running_away)
    words = (*SMALL, "--set", "training.iterations=40", "--set", "training.checkpoint_every=5")
    ran = samplar("fit", data, "-o", tmp_path / "run", *words)
    assert ran.status == 6
    assert "at iteration 22" in ran.err
    assert ran.err.rstrip().endswith("[training.exploded]")
    assert (tmp_path / "run" / "checkpoints" / "step-000020").is_dir()
