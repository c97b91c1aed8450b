from __future__ import annotations

import nibabel
import numpy as np
import pytest
import yaml

from samplar.errors import InputError, UsageError
from samplar.exemplars.collect import collect_exemplars
from samplar.exemplars.manifest import Manifest, ManifestEntry, read_manifest, write_manifest
from samplar.io.dataset import read_dataset
from samplar.io.intensity import IntensityRule


def collect(dataset, picks):
    rule = IntensityRule(kind="window", low=0, high=500)
    return collect_exemplars(dataset, picks, plane="axial", rule=rule)


@pytest.fixture
def chosen(dataset):
    return collect(dataset, [("bob", 2), ("ann", 1)])


def written(tmp_path, text):
    path = tmp_path / "exemplars.yaml"
    path.write_text(text)
    return path


def test_a_manifest_comes_back_as_it_was_written(tmp_path, chosen):
    path = tmp_path / "exemplars.yaml"
    manifest = Manifest.of(chosen, strategy="most-classes", seed=7)
    write_manifest(path, manifest)
    assert read_manifest(path) == manifest
    document = yaml.safe_load(path.read_text())
    assert list(document) == ["strategy", "seed", "exemplars"]
    assert document["exemplars"][0] == {
        "case": "bob",
        "slice": 2,
        "subject": "bob",
        "digest": chosen.exemplars[0].digest,
    }
    manifest.verify(chosen, path=path)


def test_case_and_slice_by_hand_are_enough(tmp_path, dataset):
    path = written(tmp_path, "exemplars:\n- {case: ann, slice: 1}\n- case: bob\n  slice: 2\n")
    manifest = read_manifest(path)
    assert manifest.picks == [("ann", 1), ("bob", 2)]
    assert (manifest.strategy, manifest.seed) == (None, None)
    manifest.verify(collect(dataset, manifest.picks))


def test_names_of_digits_are_names(tmp_path):
    path = written(tmp_path, "exemplars:\n- {case: 10018, slice: 0, subject: 7}\n")
    assert read_manifest(path).exemplars[0] == ManifestEntry(case="10018", slice=0, subject="7")


def test_the_exemplar_that_changed_is_named(tmp_path, root, chosen):
    manifest = Manifest.of(chosen)
    path = root / "labels/ann.nii.gz"
    stored = nibabel.load(path)
    labels = np.asarray(stored.dataobj).copy()
    labels[0, 0, 1] = 2
    nibabel.save(nibabel.Nifti1Image(labels, stored.affine, stored.header), path)
    again = collect(read_dataset(root), manifest.picks)
    with pytest.raises(InputError) as caught:
        manifest.verify(again, path=tmp_path / "exemplars.yaml")
    assert caught.value.code == "exemplars.changed"
    assert caught.value.problem == ("1 of 2 exemplars changed since they were chosen: ann slice 1")
    assert caught.value.path.endswith("exemplars.yaml")


def test_exemplar_of_another_subject_now_is_named(root, chosen):
    (root / "index.csv").write_text("file,subject\nann,zoe\nbob,bob\n")
    manifest = Manifest.of(chosen)
    with pytest.raises(
        InputError, match="1 of 2 exemplars are of another subject now: ann slice 1"
    ):
        manifest.verify(collect(read_dataset(root), manifest.picks))


@pytest.mark.parametrize("text", ["", "- case: a", "cases: []", "exemplars"])
def test_other_documents_are_refused(tmp_path, text):
    with pytest.raises(InputError) as caught:
        read_manifest(written(tmp_path, text))
    assert caught.value.code == "exemplars.shape"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("exemplars: []", "exemplars"),
        ("exemplars: [{case: a}]", "slice"),
        ("exemplars: [{case: a, slice: -1}]", "slice"),
        ("exemplars: [{case: a, slice: 1.5}]", "slice"),
        ("exemplars: [{case: true, slice: 1}]", "case"),
        ("exemplars: [{case: a, slice: 1, digset: x}]", "exemplars.0.digset is not a setting"),
        ("exemplars: [{case: a, slice: 1}]\nstrategy: best", "strategy"),
    ],
)
def test_wrong_entries_are_refused_by_name(tmp_path, text, word):
    with pytest.raises(UsageError) as caught:
        read_manifest(written(tmp_path, text))
    assert caught.value.code == "config.invalid"
    assert word in caught.value.problem
    assert ";" not in caught.value.problem


def test_the_same_exemplar_twice_is_refused(tmp_path):
    path = written(tmp_path, "exemplars: [{case: a, slice: 1}, {case: a, slice: 1}]")
    with pytest.raises(InputError, match="1 exemplars are listed more than once: a slice 1"):
        read_manifest(path)
