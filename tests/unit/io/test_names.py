from __future__ import annotations

from pathlib import Path

import pytest

from samplar.io.names import stem_of, suffix_of


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("a/case 7.nii.gz", "case 7", ".nii.gz"),
        ("CASE.NII.GZ", "CASE", ".nii.gz"),
        ("case.nii", "case", ".nii"),
        ("v1.2.png", "v1.2", ".png"),
        ("数据.PNG", "数据", ".png"),
        ("plain", "plain", ""),
        ("data.tar.gz", "data.tar", ".gz"),
        (".nii.gz", ".nii", ".gz"),
        ("a.nii.gz.png", "a.nii.gz", ".png"),
    ],
)
def test_nii_gz_counts_as_one_suffix(name, stem, suffix):
    assert suffix_of(name) == suffix
    assert stem_of(Path(name)) == stem
