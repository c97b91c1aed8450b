from __future__ import annotations

import numpy as np

from samplar.io.layouts.npz import list_cases, recognise


def test_archives_are_cases_and_gts_are_their_labels(files):
    cube = np.zeros((2, 3, 4), dtype=np.uint8)
    files.npz("b.npz", imgs=cube, gts=cube)
    files.npz("a.npz", imgs=cube)
    assert recognise(files.root)
    listing = list_cases(files.root)
    assert [(case.id, case.label) for case in listing.cases] == [
        ("a", None),
        ("b", files.root / "b.npz"),
    ]


def test_damaged_and_other_archives_are_problems(files):
    files.text("a.npz", "not a zip")
    files.npz("b.npz", image=np.zeros(3))
    listing = list_cases(files.root)
    assert not listing.cases
    first, second = listing.problems
    assert "not a readable npz archive" in first.problem
    assert second.problem == "the archive has image.npy but no imgs"
    assert "numpy.savez_compressed" in second.fix
    assert first.code == second.code == "dataset.npz"


def test_a_folder_without_archives_is_not_this_layout(files):
    files.text("a.png", "x")
    assert not recognise(files.root)
