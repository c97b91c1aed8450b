from __future__ import annotations

import gzip
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from samplar.errors import OutputError
from samplar.io import nifti, nifti_write
from samplar.io.affine import Affine
from samplar.io.volume import Volume

SHAPE = (5, 6, 7)


def like(path, matrix, *, kind=nib.Nifti1Image, sform=2, qform=1, shape=SHAPE) -> Volume:
    picture = kind(np.zeros(shape, dtype=np.float32), matrix)
    picture.set_sform(matrix, sform)
    picture.set_qform(matrix, qform)
    picture.header.set_xyzt_units("mm", "sec")
    picture.header["descrip"] = b"Jane Doe 1970-01-01"
    nib.save(picture, path)
    return nifti.read(path)


def labels(top=3, shape=SHAPE) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, top + 1, shape)
    values.flat[0] = top
    return values


def orientations(degrees: float) -> list[np.ndarray]:
    """Return the 48 ways to lay axes, each then turned about an oblique axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, c, -s], [0, s, c]]
    )
    made = []
    for order, signs in product(permutations(range(3)), product((-1, 1), repeat=3)):
        matrix = np.eye(4)
        matrix[:3, :3] = turn @ (np.eye(3)[:, order] * (np.array(signs) * [0.7, 1.3, 2.9]))
        matrix[:3, 3] = [11, -22, 33]
        made.append(matrix)
    return made


@pytest.mark.parametrize("degrees", [0, 15, 44, 46, 89])
def test_labels_come_back_on_the_input_grid_for_every_orientation(tmp_path, degrees):
    for matrix in orientations(degrees):
        volume = like(tmp_path / "in.nii", matrix)
        nifti.write_labels(tmp_path / "out.nii", labels(), volume)
        given, made = nib.load(tmp_path / "in.nii"), nib.load(tmp_path / "out.nii")
        assert np.array_equal(np.asarray(made.dataobj), labels())
        assert np.array_equal(made.affine, given.affine)
        for field in ("sform_code", "qform_code", "srow_x", "quatern_b", "qoffset_x"):
            assert np.array_equal(made.header[field], given.header[field])
        assert np.array_equal(made.header["pixdim"][:4], given.header["pixdim"][:4])


@pytest.mark.parametrize("codes", [(0, 0), (1, 0), (0, 1), (4, 2)])
def test_form_codes_are_copied_as_they_are(tmp_path, codes):
    matrix = np.diag([-2.0, 3, 4, 1])
    volume = like(tmp_path / "in.nii.gz", matrix, sform=codes[0], qform=codes[1])
    nifti.write_labels(tmp_path / "out.nii.gz", labels(), volume)
    header = nib.load(tmp_path / "out.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == codes
    assert header.get_xyzt_units() == ("mm", "sec")
    assert np.array_equal(nib.load(tmp_path / "out.nii.gz").affine, volume.affine.matrix)


@pytest.mark.parametrize(
    ("top", "dtype"), [(0, np.uint8), (255, np.uint8), (256, np.uint16), (65_535, np.uint16)]
)
def test_the_smallest_unsigned_type_and_slope_one(tmp_path, top, dtype):
    volume = like(tmp_path / "in.nii.gz", np.eye(4))
    nifti.write_labels(tmp_path / "out.nii.gz", labels(top), volume)
    raw = gzip.decompress((tmp_path / "out.nii.gz").read_bytes())
    header = nib.Nifti1Header(raw[:348])
    assert header.get_data_dtype() == dtype
    assert np.frombuffer(raw[112:120], "<f4").tolist() == [1, 0]
    assert np.array_equal(nifti.read_labels(tmp_path / "out.nii.gz").array, labels(top))


def test_free_text_of_the_input_is_not_copied(tmp_path):
    volume = like(tmp_path / "in.nii", np.eye(4))
    nifti.write_labels(tmp_path / "out.nii", labels(), volume)
    assert b"Jane" in (tmp_path / "in.nii").read_bytes()
    assert b"Jane" not in (tmp_path / "out.nii").read_bytes()


def test_what_the_input_says_of_its_grey_values_is_not_copied(tmp_path):
    picture = nib.Nifti1Image(np.zeros(SHAPE, np.float32), np.eye(4))
    picture.header["cal_min"], picture.header["cal_max"] = -160, 240
    picture.header["intent_code"] = 1002
    picture.header.set_slope_inter(2, 5)
    nib.save(picture, tmp_path / "in.nii")
    nifti.write_labels(tmp_path / "out.nii", labels(), nifti.read(tmp_path / "in.nii"))
    header = nib.Nifti1Header((tmp_path / "out.nii").read_bytes()[:348])
    names = ("scl_slope", "scl_inter", "cal_min", "cal_max", "intent_code", "vox_offset")
    assert [float(header[name]) for name in names] == [1, 0, 0, 0, 0, 352]
    assert header["dim"].tolist() == [3, *SHAPE, 1, 1, 1, 1]


def test_the_same_labels_give_the_same_bytes(tmp_path):
    volume = like(tmp_path / "in.nii.gz", np.eye(4))
    for name in ("a.nii.gz", "b.nii.gz"):
        nifti.write_labels(tmp_path / name, labels(), volume)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    assert (tmp_path / "a.nii.gz").read_bytes()[4:8] == bytes(4)  # no time of writing


def test_nifti_2_and_2d_stay_what_they_are(tmp_path):
    volume = like(tmp_path / "in.nii", np.eye(4), kind=nib.Nifti2Image)
    nifti.write_labels(tmp_path / "out.nii", labels(), volume)
    assert isinstance(nib.load(tmp_path / "out.nii"), nib.Nifti2Image)
    flat = like(tmp_path / "flat.nii", np.eye(4), shape=(5, 6))
    nifti.write_labels(tmp_path / "out.nii", labels(shape=(5, 6, 1)), flat)
    assert nib.load(tmp_path / "out.nii").shape == (5, 6)
    nifti.write_probabilities(tmp_path / "p.nii", np.zeros((3, 5, 6, 1)), flat)
    assert nib.load(tmp_path / "p.nii").shape == (5, 6, 1, 3)


def test_a_volume_without_header_gets_one(tmp_path):
    matrix = np.array([[0, 1.1, 0, 200.123456], [-0.9, 0, 0, 7], [0, 0, 3, 1], [0, 0, 0, 1]])
    volume = Volume(np.zeros((1, *SHAPE)), Affine(matrix), "mm", (Path("a.nii"),))
    nifti.write_labels(tmp_path / "out.nii", labels(), volume)
    made = nifti.read_labels(tmp_path / "out.nii")
    assert np.allclose(made.affine.matrix, matrix, atol=1e-4)
    assert made.unit == "mm"
    assert made.notes == ()
    pixels = Volume(np.zeros((1, *SHAPE)), Affine(np.eye(4)), "px", (Path("a.nii"),))
    nifti.write_labels(tmp_path / "out.nii", labels(), pixels)
    assert nifti.read_labels(tmp_path / "out.nii").unit == "px"


def test_probabilities_are_4d_floats_with_classes_last(tmp_path):
    volume = like(tmp_path / "in.nii.gz", np.diag([2.0, 3, 4, 1]))
    given = np.random.default_rng(0).random((3, *SHAPE)).astype(np.float16)
    nifti.write_probabilities(tmp_path / "p.nii.gz", given, volume)
    made = nib.load(tmp_path / "p.nii.gz")
    assert made.shape == (*SHAPE, 3)
    assert made.get_data_dtype() == np.float32
    assert np.array_equal(np.asarray(made.dataobj), np.moveaxis(given, 0, -1).astype(np.float32))
    assert np.array_equal(made.affine, volume.affine.matrix)


def test_bytes_that_do_not_come_back_are_noticed(tmp_path, monkeypatch):
    volume = like(tmp_path / "in.nii", np.eye(4))

    def lossy(path: Path, data: bytes) -> None:
        path.write_bytes(data[:-1] + b"\xff")

    monkeypatch.setattr(nifti_write, "write_new", lossy)
    with pytest.raises(OutputError) as caught:
        nifti.write_labels(tmp_path / "out.nii", labels(), volume)
    assert caught.value.code == "output.verify"
    assert not (tmp_path / "out.nii").exists()


def test_a_grid_that_moved_is_noticed(tmp_path):
    volume = like(tmp_path / "in.nii", np.eye(4))
    matrix = np.eye(4)
    matrix[0, 3] = 0.0009  # rounding of a header
    near = Volume(volume.array, Affine(matrix), "mm", (), volume.header)
    nifti.write_labels(tmp_path / "near.nii", labels(), near)
    matrix[0, 3] = 0.0011
    moved = Volume(volume.array, Affine(matrix), "mm", (), volume.header)
    with pytest.raises(OutputError) as caught:
        nifti.write_labels(tmp_path / "out.nii", labels(), moved)
    assert caught.value.code == "output.verify"
