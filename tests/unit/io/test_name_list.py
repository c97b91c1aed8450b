from __future__ import annotations

import nibabel
import numpy as np
import pytest

from samplar.io.name_list import header_texts, names_in


def image(path, kind=nibabel.Nifti1Image, **texts):
    made = kind(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    for name, text in texts.items():
        made.header[name] = text
    nibabel.save(made, path)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_free_texts_of_a_header(tmp_path, name):
    path = image(tmp_path / name, descrip=b"Doe, Jane", aux_file=b"doe.txt")
    assert sorted(header_texts(path)) == ["Doe, Jane", "doe.txt"]


def test_of_nifti_2_as_well(tmp_path):
    path = image(tmp_path / "a.nii", nibabel.Nifti2Image, intent_name=b"doe")
    assert header_texts(path) == ["doe"]


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"\x1f\x8b\x08", b"no image"])
def test_other_files_have_none(tmp_path, content):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(content)
    assert header_texts(path) == []


def test_every_name_of_a_data_set(flat):
    names = names_in(flat.root)
    assert {"a_1", "ann", "bob", "a_1.png", str(flat.root / "labels" / "b_1.png")} <= names
