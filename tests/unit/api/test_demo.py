from __future__ import annotations

import json

import numpy as np
import pytest
from phantom_sets import volume, write_nifti

from samplar.api.demo import BASELINES, METHOD, NOTE, demonstrate, refuse_existing, split_slices
from samplar.errors import UsageError
from samplar.io.dataset import read_case, read_dataset
from samplar.training.fit import Told
from samplar.types import IGNORE

FEW = (1, 4)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One volume of seven slices along the last axis, as the demonstration's brain is."""
    root = tmp_path_factory.mktemp("demo") / "brain"
    grey, labels = volume(0, (7, 30, 26))
    affine = np.diag([1.0, 1, 1, 1])
    write_nifti(root / "images" / "one.nii.gz", np.moveaxis(grey, 0, -1), affine)
    write_nifti(root / "labels" / "one.nii.gz", np.moveaxis(labels, 0, -1), affine)
    (root / "label_names.json").write_text(json.dumps({"1": "ball", "2": "slab"}))
    return root


@pytest.fixture(scope="module")
def done(whole):
    notes: list[str] = []
    told = Told(stage=lambda *_: None, step=lambda *_: None, note=notes.append)
    folder = whole.parent / "demo"
    settings = {
        "weights": "tiny",
        "seed": 0,
        "device": "cpu",
        "size": 32,
        "training": {"iterations": 2, "pool": 4, "batch": 2},
    }
    return folder, demonstrate(
        whole, folder, slices=FEW, settings=settings, preset="fast", told=told
    )


def test_no_slice_is_both_learned_from_and_scored(whole, tmp_path):
    parts = split_slices(whole, tmp_path, FEW)
    labelled = {}
    for name, place in (("few", parts.labelled), ("rest", parts.rest)):
        dataset = read_dataset(place)
        _, labels = read_case(dataset.cases[0], dataset)
        labelled[name] = {z for z in range(7) if (labels[:, :, z] != IGNORE).any()}
    assert labelled == {"few": {1, 4}, "rest": {0, 2, 3, 5, 6}}


def test_all_methods_learn_from_the_same_slices(done):
    folder, made = done
    assert list(made.evaluations) == [METHOD, *BASELINES]
    assert "copy-nearest" in BASELINES
    cards = [
        json.loads((run / "adapter" / "adapter.json").read_text())
        for run in (folder / "run", *(folder / "baselines" / name for name in BASELINES))
    ]
    assert [card["method"] for card in cards] == [METHOD, *BASELINES]
    assert {card["exemplars_digest"] for card in cards} == {cards[0]["exemplars_digest"]}
    assert [e["slice"] for e in cards[0]["exemplars"]] == [1, 4]


def test_scores_are_kept_and_the_report_says_that_it_is_one_brain(done):
    folder, made = done
    for name, evaluation in made.evaluations.items():
        kept = json.loads((folder / "scores" / f"{name}.json").read_text())
        assert kept == evaluation.model_dump(mode="json")
    page = made.page.read_text()
    assert made.page == folder / "run" / "report.html"
    assert "copy-nearest" in page
    assert NOTE in page


def test_only_an_empty_folder_is_taken(tmp_path):
    refuse_existing(tmp_path / "new")
    refuse_existing(tmp_path / "new")
    (tmp_path / "new" / "x").write_text("")
    with pytest.raises(UsageError, match="not empty"):
        refuse_existing(tmp_path / "new")
