from __future__ import annotations

import json
import shutil

import nibabel
import numpy as np
import pytest

from samplar.api.evaluate import evaluate, scored_cases
from samplar.api.fit import fit
from samplar.api.manifest import versions
from samplar.api.predict import find_inputs, predict
from samplar.errors import InputError, OutputError, UsageError
from samplar.io.dataset import read_dataset
from samplar.prediction.predict import Options


def quiet(done, name):
    """Say nothing."""


@pytest.fixture
def split(tmp_path):
    path = tmp_path / "splits.json"
    path.write_text(json.dumps({"discs": {"pool": ["ann", "bob"], "test": ["cid"]}}))
    return path


def names(inputs):
    return [case.id for case in inputs.cases]


def test_inputs_are_a_data_set_or_images(volumes, split):
    assert names(find_inputs([volumes])) == ["ann", "bob", "cid"]
    assert names(find_inputs([volumes], split=split)) == ["cid"]
    assert names(find_inputs([volumes], split=split, subset="pool")) == ["ann", "bob"]
    images = find_inputs([volumes / "images/bob.nii.gz"])
    assert (names(images), images.dataset) == (["bob"], None)
    assert names(find_inputs([volumes / "images"])) == ["ann", "bob", "cid"]


def test_a_split_of_plain_images_is_refused(volumes, split):
    with pytest.raises(UsageError) as caught:
        find_inputs([volumes / "images"], split=split)
    assert caught.value.code == "split.not_dataset"


def test_an_oracle_reads_the_truth_and_fails_case_by_case_without_it(
    config, silent, volumes, tmp_path
):
    fit(config(method="zero-shot"), tmp_path / "run", told=silent)
    done = predict(
        tmp_path / "run",
        find_inputs([volumes]),
        tmp_path / "out",
        options=Options(),
        device="cpu",
        on_case=quiet,
    )
    assert len(done.outcome.done) == 3
    empty = nibabel.load(done.outcome.done[0]).get_fdata()[..., 4]
    assert not empty.any()  # the truth shows nothing in the last slice
    with pytest.raises(UsageError) as caught:
        predict(
            tmp_path / "run",
            find_inputs([volumes / "images"]),
            tmp_path / "out",
            options=Options(),
            device="cpu",
            on_case=quiet,
        )
    assert caught.value.code == "methods.oracle"


def test_a_place_that_cannot_be_written_is_refused_before_the_adapter_is_read(volumes, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        predict(
            tmp_path / "no adapter",
            find_inputs([volumes]),
            tmp_path / "file",
            options=Options(),
            device="cpu",
            on_case=quiet,
        )


def test_the_truth_itself_scores_one_and_a_missed_organ_nothing(volumes, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(volumes / "labels", out)
    path = out / "bob.nii.gz"
    image = nibabel.load(path)
    content = np.asarray(image.dataobj).copy()
    content[content == 2] = 0
    nibabel.save(nibabel.Nifti1Image(content, image.affine, image.header), path)
    told = []
    found = evaluate(
        out, read_dataset(volumes), on_case=lambda done, name: told.append((done, name))
    )
    dice = {
        (case.case, name): score.dsc
        for case in found.per_case
        for name, score in case.per_class.items()
    }
    assert dice["bob", "right"] == 0
    del dice["bob", "right"]
    assert len(dice) == 5
    assert set(dice.values()) == {100.0}
    assert [name for _, name in told] == ["ann", "bob", "cid"]


def test_only_cases_with_a_prediction_are_scored(volumes, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(volumes / "labels/cid.nii.gz", out)
    (scored,) = scored_cases(out, read_dataset(volumes))
    assert scored.case.id == "cid"
    assert np.array_equal(scored.truth, scored.prediction)
    assert scored.image.shape == scored.truth.shape


@pytest.mark.parametrize("place", ["empty", "gone"])
def test_nothing_to_score_is_refused(volumes, tmp_path, place):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        evaluate(tmp_path / place, read_dataset(volumes), on_case=quiet)
    assert caught.value.code == ("evaluation.none" if place == "empty" else "evaluation.folder")


def test_a_prediction_on_another_grid_is_refused(volumes, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    image = nibabel.load(volumes / "labels/ann.nii.gz")
    moved = image.affine.copy()
    moved[0, 3] += 30
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), moved), out / "ann.nii.gz")
    with pytest.raises(InputError):
        evaluate(out, read_dataset(volumes), on_case=quiet)


def test_versions_name_what_decides_results():
    found = versions()
    assert {"samplar", "python", "torch", "numpy"} <= set(found)
    assert found["numpy"] == np.__version__
