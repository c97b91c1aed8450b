from __future__ import annotations

import json

import numpy as np
import pytest
from command import samplar
from phantom_sets import volume, write_nifti

from samplar.api.demo import BASELINES, METHOD
from samplar.config.fit import PRESETS

QUICK = {
    "size": 32,
    "method_config": {},
    "training": {"iterations": 2, "pool": 4, "batch": 2, "precision": "fp32"},
}


def phantom(folder, *, source, on_progress):
    """Write a volume of six slices where the published brain, which needs the network, would be."""
    grey, labels = volume(0, (6, 30, 26))
    affine = np.diag([1.0, 1, 1, 1])
    write_nifti(folder / "images" / "brain.nii.gz", np.moveaxis(grey, 0, -1), affine)
    write_nifti(folder / "labels" / "brain.nii.gz", np.moveaxis(labels, 0, -1), affine)
    on_progress(1, 1)


@pytest.mark.parametrize("as_json", [True, False])
def test_the_demo_shows_scores_beside_the_baselines_and_what_they_do_not_mean(
    tmp_path, monkeypatch, as_json
):
    monkeypatch.setattr("samplar.io.demo.build_demo_dataset", phantom)
    monkeypatch.setattr("samplar.api.demo.SLICES", (1, 4))
    monkeypatch.setitem(PRESETS, "fast", QUICK)
    words = ("demo", "-o", tmp_path / "demo", "-W", "tiny", "--preset", "fast", "--device", "cpu")
    ran = samplar(*words, *(["--json"] if as_json else []))
    assert ran.status == 0, ran.err
    page = tmp_path / "demo" / "run" / "report.html"
    assert page.is_file()
    assert "fetching a brain: 100%" in ran.err
    if as_json:
        document = json.loads(ran.out)
        assert list(document["scores"]) == [METHOD, *BASELINES]
        assert document["report"] == str(page)
        assert "same brain" in document["note"]
    else:
        assert "copy-nearest" in ran.out
        assert "same brain" in ran.out
        assert f"report in {page}" in ran.out
