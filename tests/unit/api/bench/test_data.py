"""When a data set is no longer the one that finished cells were computed on."""

from __future__ import annotations

import hashlib
import json

import pytest
from phantom_sets import nifti

from samplar.api.bench.data import Sides
from samplar.io.dataset import read_dataset

PLAIN = {"background": 0, "ball": 1, "slab": 2}
SUBJECTS = ("case0", "case1")


@pytest.fixture
def root(tmp_path):
    return nifti(tmp_path / "set")


def digests(root, labels=None):
    """Return the digests of both sides, with the classes declared anew if they are given."""
    if labels is not None:
        (root / "label_names.json").write_text(json.dumps(labels))
    sides = Sides.of(read_dataset(root), SUBJECTS, ["case2"])
    return sides.pool_files, sides.scored_files


def test_the_digest_of_a_plain_data_set_is_what_finished_cells_were_computed_with(root):
    """This is the formula of the first version: committed results hold its digests."""
    files = [
        (root / "images" / f"{name}.nii.gz", root / "labels" / f"{name}.nii.gz")
        for name in SUBJECTS
    ]
    rows = [
        (name, name, [path.stat().st_size for path in paths])
        for name, paths in zip(SUBJECTS, files, strict=True)
    ]
    first = hashlib.sha256(json.dumps([["ball", "slab"], rows]).encode()).hexdigest()
    assert digests(root)[0] == digests(root, PLAIN)[0] == first


def test_what_the_values_of_label_files_mean_is_part_of_the_digest(root):
    declared = [
        PLAIN,
        {"background": [0, 3], "ball": 1, "slab": 2},
        {"background": 0, "ball": [1, 3], "slab": 2},
        {"background": 0, "ball": 1, "slab": [2, 3]},
        {"background": 0, "ball": 1, "slab": 2, "ignore": 3},
        {"background": 0, "ball": 1, "slab": 2, "ignore": 4},
        {"background": 0, "ball": 1, "slab": 3},
    ]
    found = [digests(root, labels) for labels in declared]
    assert len({pool for pool, _ in found}) == len({scored for _, scored in found}) == len(found)
    assert digests(root, {"ball": [3, 1], "slab": 2, "background": [0]}) != digests(root, PLAIN)


def test_the_order_of_a_list_of_values_is_no_part_of_it(root):
    labels = {"ball": 1, "slab": [2, 3, 4]}
    assert digests(root, labels) == digests(root, {**labels, "slab": [2, 4, 3]})


def test_values_of_single_cases_are_part_of_the_digest_of_their_side(root):
    same = {"ball": 1, "slab": 2}
    turned = {"ball": 2, "slab": 1}
    plain = digests(root, same)
    assert digests(root, dict.fromkeys(("case0", "case1", "case2"), same)) == plain
    pool, scored = digests(root, {"case0": same, "case1": same, "case2": {**same, "ball": 3}})
    assert (pool, scored) != plain
    assert scored != plain[1]
    first = digests(root, {"case0": same, "case1": turned, "case2": same})
    assert first != digests(root, {"case0": turned, "case1": same, "case2": same})


def test_which_slices_are_labelled_is_part_of_the_digest_of_their_side(root):
    plain = digests(root)
    listed = root / "labelled_slices.yaml"
    listed.write_text("case0: [1, 2]\n")
    some = digests(root)
    listed.write_text("case0: [1, 3]\n")
    others = digests(root)
    assert len({plain[0], some[0], others[0]}) == 3
    assert plain[1] == some[1] == others[1]
    listed.write_text("case2: [1]\n")
    assert digests(root)[0] == plain[0]
    assert digests(root)[1] != plain[1]


def test_cells_of_other_classes_are_not_taken_for_finished(copied):
    names = copied.config.parent / "set" / "label_names.json"
    names.write_text(json.dumps({"background": [0, 3], "ball": 1, "slab": 2}))
    prepared = copied.prepare()
    assert prepared.done == {}
    assert len(prepared.to_do) == len(prepared.cells) == 13
