from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from samplar.errors import InputError
from samplar.io.affine import Affine
from samplar.io.case import Case
from samplar.io.volume import Volume
from samplar.prediction.predict import Options, outcome_of, predict_here
from samplar.prediction.records import MadeBy, Records
from samplar.prediction.stages import Stages, truth_in
from samplar.prediction.volume import predict_volume

TURNS = list(itertools.permutations(range(3)))
FLIPS = list(itertools.product((False, True), repeat=3))


def turned(array, order, flips):
    """Permute the last three axes and turn some of the new ones round."""
    lead = array.ndim - 3
    array = array.transpose(*range(lead), *(lead + axis for axis in order))
    return np.flip(array, [lead + n for n, flip in enumerate(flips) if flip])


def turned_volume(image, order, flips):
    """Store the same image in another axis order: every voxel keeps its place in millimetres."""
    shape = [image.shape[axis] for axis in order]
    step = np.zeros((4, 4))
    step[3, 3] = 1
    for new, (old, flip) in enumerate(zip(order, flips, strict=True)):
        step[old, new] = -1 if flip else 1
        step[old, 3] = shape[new] - 1 if flip else 0
    array = np.ascontiguousarray(turned(image.array, order, flips))
    return replace(image, array=array, affine=Affine(image.affine.matrix @ step))


@pytest.fixture
def predict(learnt, card):
    def run(image, **options):
        return predict_volume(learnt, card, image, options=Options(**options))

    return run


def test_labels_lie_on_the_grid_of_the_image_and_on_its_organs(predict, volume, arrays):
    image = volume()
    labels, probabilities = predict(image)
    assert probabilities is None
    assert labels.shape == image.shape == (36, 28, 10)
    assert labels.dtype == np.uint8
    _, truth = arrays(10, height=28, width=36, seed=3)
    truth = truth.transpose(2, 1, 0)
    both = ((labels > 0) & (truth > 0)).sum()
    assert 2 * both / ((labels > 0).sum() + (truth > 0).sum()) > 0.7


@pytest.mark.parametrize(("order", "flips"), list(zip(TURNS * 4, FLIPS * 3, strict=True)))
def test_every_axis_order_gets_the_same_answer_in_its_own_grid(predict, volume, order, flips):
    image = volume((12, 16, 3))
    expected, _ = predict(image)
    assert len(np.unique(expected)) > 1
    found, _ = predict(turned_volume(image, order, flips))
    assert np.array_equal(found, turned(expected, order, flips))


def test_an_oblique_volume_is_cut_along_its_nearest_axes(predict, volume):
    image = volume((12, 16, 3))
    angle = np.deg2rad(20)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    oblique = replace(image, affine=Affine(turn @ image.affine.matrix))
    assert np.array_equal(predict(oblique)[0], predict(image)[0])


def test_a_plain_image_is_one_slice(predict, arrays):
    images, _ = arrays(1, height=30, width=44)
    array = (200 * images[0]).astype(np.uint8)[..., None]
    image = Volume(array, Affine.pixels(), "px", (Path("a.png"),))
    labels, _ = predict(image)
    assert labels.shape == (30, 44, 1)
    assert {0, 1, 2} == set(np.unique(labels))


def test_probabilities_agree_with_the_labels(predict, volume):
    image = turned_volume(volume((12, 16, 9)), (2, 0, 1), (True, False, True))
    labels, shares = predict(image, probabilities=True)
    assert shares.shape == (3, *image.shape)
    assert shares.dtype == np.float16
    np.testing.assert_allclose(shares.astype(np.float32).sum(0), 1, atol=2e-3)
    top = np.sort(shares.astype(np.float32), axis=0)
    clear = top[-1] - top[-2] > 1e-2
    assert clear.mean() > 0.9
    assert np.array_equal(shares.argmax(0)[clear], labels[clear])


def test_the_plane_of_the_adapter_decides(learnt, card, volume):
    image = volume((20, 16, 12))
    axial, sagittal = (
        predict_volume(learnt, card.model_copy(update={"plane": plane}), image, options=Options())[
            0
        ]
        for plane in ("axial", "sagittal")
    )
    assert axial.shape == sagittal.shape
    assert not np.array_equal(axial, sagittal)


def test_an_oracle_is_given_the_truth_on_the_images_grid(adapted, card, volume, arrays):
    image = volume((32, 32, 2))
    _, truth = arrays(2, seed=3)
    truth = truth.transpose(2, 1, 0)
    model = adapted("zero-shot")
    whole, _ = predict_volume(model, card, image, options=Options(), truth=truth)
    only_left = np.where(truth == 2, 0, truth)
    left, _ = predict_volume(model, card, image, options=Options(), truth=only_left)
    assert 2 not in np.unique(left)
    assert not np.array_equal(whole, left)


def stored(folder, name, image, *, damage=False):
    path = folder / f"{name}.nii.gz"
    made = nibabel.Nifti1Image(image.array[0], image.affine.matrix)
    made.header.set_xyzt_units("mm")
    nibabel.save(made, path)
    if damage:
        path.write_bytes(path.read_bytes()[:200])
    return Case(name, name, (path,), None)


@pytest.fixture
def folders(tmp_path):
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    out.mkdir()
    return images, out


def records(out, options):
    made_by = MadeBy(
        samplar="0",
        adapter="a",
        precision="fp32",
        probabilities=options.probabilities,
        largest=options.largest,
        tta=options.tta,
    )
    return Records(out, made_by)


def run_cases(model, card, cases, out, **options):
    told = []
    wanted = Options(**options)
    stages = Stages(model, card, out, wanted, truth_in(None, "axial"), records(out, wanted))
    results = predict_here(stages, cases, on_case=lambda done, name: told.append((done, name)))
    outcome = outcome_of(cases, results)
    return outcome, told


def test_files_have_the_images_affine_and_the_classes_own_values(
    learnt, card, volume, folders, predict
):
    images, out = folders
    image = turned_volume(volume((12, 16, 3)), (1, 2, 0), (True, False, True))
    outcome, told = run_cases(learnt, card, [stored(images, "ann", image)], out)
    assert told == [(0, "ann"), (1, "")]
    assert (outcome.done, outcome.failed) == ([out / "ann.nii.gz"], [])
    written = nibabel.load(out / "ann.nii.gz")
    np.testing.assert_allclose(written.affine, image.affine.matrix, atol=1e-5)
    indices, _ = predict(image)
    assert len(np.unique(indices)) == 3
    assert np.array_equal(np.asarray(written.dataobj), np.array([0, 3, 7])[indices])


def test_one_bad_case_does_not_stop_the_others(learnt, card, volume, folders):
    images, out = folders
    small = volume((8, 8, 2))
    cases = [
        stored(images, "ann", small),
        stored(images, "bob", small, damage=True),
        stored(images, "cid", small),
    ]
    outcome, told = run_cases(learnt, card, cases, out)
    assert [p.name for p in outcome.done] == ["ann.nii.gz", "cid.nii.gz"]
    ((name, error),) = outcome.failed
    assert name == "bob"
    assert isinstance(error, InputError)
    assert [done for done, _ in told] == [0, 1, 2, 3]
    with pytest.raises(InputError):
        run_cases(learnt, card, cases, out, strict=True)


def test_cases_one_after_the_other_give_the_same_bytes(learnt, card, volume, folders):
    images, out = folders
    cases = [stored(images, f"c{n}", volume((10, 9, 3), seed=n)) for n in range(5)]
    alone = out / "alone"
    alone.mkdir()
    options = Options(probabilities=True, largest=True)
    stages = Stages(learnt, card, alone, options, truth_in(None, "axial"), records(alone, options))
    expected = [stages.write(stages.compute(stages.read(case))) for case in cases]
    outcome, _ = run_cases(learnt, card, cases, out, probabilities=True, largest=True)
    assert [path.name for path in outcome.done] == [written.path.name for written in expected]
    assert outcome.notes == [note for written in expected for note in written.notes]
    files = [path.relative_to(alone) for path in alone.rglob("*.nii.gz")]
    assert len(files) == 10
    assert all((out / name).read_bytes() == (alone / name).read_bytes() for name in files)


def test_a_failure_keeps_no_volume_in_memory(learnt, card, volume, folders):
    images, out = folders
    case = stored(images, "bob", volume((8, 8, 2)), damage=True)
    outcome, _ = run_cases(learnt, card, [case, case], out)
    for _, error in outcome.failed:
        assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)


def test_only_the_largest_part_may_be_kept(learnt, card, volume, folders, monkeypatch):
    images, out = folders
    scattered = np.zeros((8, 8, 2), dtype=np.uint8)
    scattered[0, 0, 0] = scattered[4:6, 4:6, 0] = 1

    def as_drawn(*_, doubt, **__):
        hot = torch.nn.functional.one_hot(torch.from_numpy(scattered).long(), 3)
        doubt.add(9 * hot.permute(2, 3, 0, 1).float())
        return scattered, None

    monkeypatch.setattr("samplar.prediction.stages.predict_volume", as_drawn)
    case = stored(images, "ann", volume((8, 8, 2)))
    outcome, _ = run_cases(learnt, card, [case], out, largest=True)
    assert outcome.notes == ["ann: removed 1 voxels of left"]
    values = np.asarray(nibabel.load(outcome.done[0]).dataobj)
    assert (values == 3).sum() == 4
    outcome, _ = run_cases(learnt, card, [case], out)
    assert (np.asarray(nibabel.load(outcome.done[0]).dataobj) == 3).sum() == 5


def test_probabilities_do_not_overwrite_the_labels(learnt, card, volume, folders, predict):
    images, out = folders
    image = volume((12, 16, 2))
    outcome, _ = run_cases(learnt, card, [stored(images, "ann", image)], out, probabilities=True)
    assert outcome.done == [out / "ann.nii.gz"]
    indices, shares = predict(image, probabilities=True)
    values = np.asarray(nibabel.load(out / "ann.nii.gz").dataobj)
    assert np.array_equal(values, np.array([0, 3, 7])[indices])
    written = nibabel.load(out / "probabilities/ann.nii.gz")
    assert written.shape == (*image.shape, 3)
    np.testing.assert_allclose(written.get_fdata(), np.moveaxis(shares, 0, -1), atol=1e-3)


def test_a_case_with_other_sequences_than_the_adapter_is_refused(learnt, card, volume, folders):
    images, out = folders
    one = stored(images, "ann", volume((8, 8, 2)))
    both = replace(one, images=one.images * 2)
    outcome, _ = run_cases(learnt, card, [both], out)
    ((_, error),) = outcome.failed
    assert error.code == "predict.sequences"
    assert list(out.iterdir()) == []
