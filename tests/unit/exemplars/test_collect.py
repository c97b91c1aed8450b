from __future__ import annotations

import numpy as np
import pytest

from samplar.errors import InputError
from samplar.exemplars.choose import Candidate
from samplar.exemplars.collect import collect_exemplars, list_candidates
from samplar.exemplars.exemplar import digest_of
from samplar.io.dataset import read_dataset
from samplar.io.intensity import IntensityRule

RULE = IntensityRule(kind="window", low=0, high=500)


def collect(dataset, *picks, **options):
    return collect_exemplars(dataset, picks, plane="axial", rule=RULE, **options)


def test_every_labelled_slice_is_a_candidate_with_its_class_areas(dataset):
    found = list_candidates(dataset, plane="axial")
    assert [(c.case, c.slice, c.pixels_per_class) for c in found if c.classes] == [
        ("ann", 1, (6, 0)),
        ("ann", 2, (0, 1)),
        ("bob", 1, (6, 0)),
        ("bob", 2, (1, 1)),
    ]
    assert found[0] == Candidate("ann", "ann", 0, (0, 0))
    assert len(found) == 10
    sagittal = list_candidates(dataset, plane="sagittal")
    assert [(c.slice, c.pixels_per_class) for c in sagittal[:4]] == [
        (0, (0, 0)),
        (1, (3, 0)),
        (2, (3, 0)),
        (3, (0, 1)),
    ]


def test_unlabelled_slices_and_cases_are_no_candidates(root):
    (root / "labelled_slices.yaml").write_text("bob: [0, 2]\n")
    (root / "labels/ann.nii.gz").unlink()
    found = list_candidates(read_dataset(root), plane="axial")
    assert [(c.case, c.slice) for c in found] == [("bob", 0), ("bob", 2)]


def test_exemplars_are_read_scaled_in_three_channels_and_display_order(dataset):
    found = collect(dataset, ("bob", 2), ("ann", 1))
    assert [(e.case, e.subject, e.slice) for e in found.exemplars] == [
        ("bob", "bob", 2),
        ("ann", "ann", 1),
    ]
    bob = found.exemplars[0]
    assert (bob.image.dtype, bob.image.shape) == (np.float32, (3, 6, 4))
    assert (bob.labels.dtype, bob.labels.shape) == (np.uint8, (6, 4))
    # Rows run to the back and columns to the left: both against the file's axes.
    x, y = np.meshgrid(range(3, -1, -1), range(5, -1, -1))
    np.testing.assert_allclose(bob.image[0], (10 * x + y + 200) / 500, atol=1e-6)
    np.testing.assert_array_equal(bob.image[0], bob.image[2])
    assert (bob.labels[0, 0], bob.labels[5, 3], int(bob.labels.sum())) == (2, 1, 3)
    assert bob.digest == digest_of(bob.image, bob.labels)
    assert found.labels == dataset.labels


def test_percentiles_are_of_the_volume_not_the_slice(dataset):
    rule = IntensityRule()
    found = collect_exemplars(dataset, [("ann", 1)], plane="axial", rule=rule)
    assert found.exemplars[0].image.max() < 0.35  # slice 1 of 5 is dark


def test_a_repeated_pick_counts_once(dataset):
    assert len(collect(dataset, ("ann", 1), ("ann", 1), ("ann", 2))) == 2


@pytest.mark.parametrize("number", [5, -1])
def test_slice_that_does_not_exist_is_refused(dataset, number):
    with pytest.raises(InputError, match=f"slice {number} of ann does not exist, it has 5"):
        collect(dataset, ("ann", number))


def test_slice_that_nobody_labelled_is_refused(root):
    (root / "labelled_slices.yaml").write_text("ann: [1]\n")
    dataset = read_dataset(root)
    assert len(collect(dataset, ("ann", 1))) == 1
    with pytest.raises(InputError, match="slice 2 of ann is not labelled"):
        collect(dataset, ("ann", 2))


def test_case_that_is_not_there_is_refused(dataset):
    with pytest.raises(InputError, match="no labelled case called cem"):
        collect(dataset, ("cem", 0))


def test_channels_are_chosen_among_many_sequences(root):
    for number in range(4):
        source = (root / "images/ann.nii.gz").read_bytes()
        (root / f"images/ann_000{number}.nii.gz").write_bytes(source)
    (root / "images/ann.nii.gz").unlink()
    (root / "images/bob.nii.gz").unlink()
    (root / "labels/bob.nii.gz").unlink()
    dataset = read_dataset(root)
    assert len(dataset.cases[0].images) == 4
    with pytest.raises(InputError, match="--channels"):
        collect(dataset, ("ann", 1))
    assert collect(dataset, ("ann", 1), channels=(3,)).exemplars[0].image.shape == (3, 6, 4)
