from __future__ import annotations

from dataclasses import replace

import nibabel
import numpy as np
import pytest

from samplar.errors import InputError
from samplar.io.affine import Affine
from samplar.io.formats import read_probabilities, write_probabilities
from samplar.io.volume import Volume


def volume(name, shape):
    affine = Affine.pixels() if shape[2] == 1 else Affine(np.diag([-1.0, -1.2, 3.0, 1.0]))
    unit = "px" if shape[2] == 1 else "mm"
    return Volume(np.zeros((1, *shape), np.int16), affine, unit, (name,))


@pytest.fixture(params=["a.nii.gz", "a.nii", "a.npz", "a.png"])
def written(request, tmp_path):
    like = volume(tmp_path / request.param, (5, 4, 1 if request.param == "a.png" else 3))
    shares = np.random.default_rng(0).uniform(size=(3, *like.shape)).astype(np.float32)
    return write_probabilities(tmp_path / request.param, shares, like), shares, like


def test_what_was_written_is_read_back(written):
    path, shares, like = written
    assert np.array_equal(read_probabilities(path, like, classes=2), shares)


def test_another_shape_is_refused(written):
    path, _, like = written
    other = replace(like, array=like.array[:, :4])
    for image, classes in ((like, 3), (other, 2)):
        with pytest.raises(InputError) as caught:
            read_probabilities(path, image, classes=classes)
        assert caught.value.code == "io.probabilities"


def test_another_kind_of_image_is_refused(tmp_path):
    like = volume(tmp_path / "a.nii.gz", (5, 4, 3))
    nibabel.save(nibabel.Nifti1Image(np.zeros((5, 4, 3, 3), np.int16), None), tmp_path / "b.nii.gz")
    with pytest.raises(InputError, match=r"io\.probabilities"):
        read_probabilities(tmp_path / "b.nii.gz", like, classes=2)
    plain = volume(tmp_path / "c.nii", (5, 4, 3))
    whole = write_probabilities(tmp_path / "c.nii", np.zeros((3, 5, 4, 3), np.float32), plain)
    whole.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"io\.probabilities"):
        read_probabilities(whole, like, classes=2)
