from __future__ import annotations

import gzip
import resource
import subprocess
import sys
import time

import nibabel as nib
import numpy as np
import pytest

from samplar.errors import InputError
from samplar.io import nifti

MATRIX = np.array([[0, -2, 0, 30], [1.5, 0, 0.0, -20], [0, 0, 4, 7], [0, 0, 0, 1.0]])


def saved(path, array, matrix=MATRIX, *, kind=nib.Nifti1Image, **fields):
    picture = kind(array, matrix)
    picture.header.set_xyzt_units("mm")
    for name, value in fields.items():
        picture.header[name] = value
    nib.save(picture, path)
    return path


def noise(shape=(6, 7, 8), dtype=np.int16, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)


def refused(path) -> InputError:
    with pytest.raises(InputError) as caught:
        nifti.read(path)
    assert caught.value.path == str(path)
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", ">i2", ">f4"]
)
def test_voxels_and_geometry_are_those_nibabel_gives(tmp_path, kind, suffix, dtype):
    array = noise(dtype=dtype)
    picture = kind(array, MATRIX, dtype=array.dtype)
    path = tmp_path / f"a{suffix}"
    nib.save(picture, path)
    volume = nifti.read(path)
    assert np.array_equal(volume.array[0], np.asarray(nib.load(path).dataobj))
    assert np.array_equal(volume.array[0], array)
    assert volume.array.dtype == np.dtype(dtype).newbyteorder("=")
    assert np.array_equal(volume.affine.matrix, nib.load(path).affine)
    assert volume.shape == (6, 7, 8)
    assert volume.sources == (path,)
    assert volume.unit == "mm"
    assert not volume.is_raster


def test_big_endian_headers_are_read(tmp_path):
    path = tmp_path / "a.nii"
    picture = nib.Nifti1Image(noise(), MATRIX, nib.Nifti1Header(endianness=">"))
    nib.save(picture, path)
    assert path.read_bytes()[:4] == (348).to_bytes(4, "big")
    assert np.array_equal(nifti.read(path).array[0], noise())


def stretched(path, slope, inter, array):
    header = saved(path, array) and nib.load(path).header
    header["scl_slope"], header["scl_inter"] = slope, inter
    header["vox_offset"] = 352
    body = path.read_bytes()[len(header.binaryblock) :]
    path.write_bytes(header.binaryblock + body)
    return path


def test_whole_scaling_keeps_whole_numbers(tmp_path):
    volume = nifti.read(stretched(tmp_path / "a.nii", 1, -1024, noise(dtype=np.uint16)))
    assert volume.array.dtype == np.int16
    assert np.array_equal(volume.array[0], noise().astype(np.int16) - 1024)
    volume = nifti.read(stretched(tmp_path / "b.nii", 1000, 0, noise(dtype=np.uint16)))
    assert volume.array.dtype == np.int32


@pytest.mark.parametrize(
    ("inter", "kind"),
    [(2**15 - 2, np.int16), (2**15 - 1, np.int32), (-(2**15), np.int16), (-(2**15) - 1, np.int32)],
)
def test_whole_numbers_take_the_smallest_kind_that_holds_them(tmp_path, inter, kind):
    ends = np.array([0, 1], dtype=np.uint16).reshape(2, 1, 1)
    volume = nifti.read(stretched(tmp_path / "a.nii", 1, inter, ends))
    assert volume.array.dtype == kind
    assert volume.array.ravel().tolist() == [inter, inter + 1]


@pytest.mark.parametrize(
    ("stored", "kind"), [(2**31 - 2, np.int32), (2**31 - 1, np.float32), (0, np.int16)]
)
def test_whole_numbers_beyond_31_bits_become_floats(tmp_path, stored, kind):
    array = np.full((2, 1, 1), stored, dtype=np.uint32)
    volume = nifti.read(stretched(tmp_path / "a.nii", 1, 1, array))
    assert volume.array.dtype == kind
    assert (volume.array == kind(stored + 1)).all()


@pytest.mark.parametrize(("slope", "inter"), [(0.5, 1), (1, 0.5), (2, 0.25)])
def test_a_fraction_in_slope_or_intercept_gives_floats(tmp_path, slope, inter):
    volume = nifti.read(stretched(tmp_path / "a.nii", slope, inter, noise()))
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array[0], noise() * slope + inter)


@pytest.mark.parametrize(("slope", "inter"), [(2, 0), (1, 1), (-1, 0)])
def test_whole_scaling_of_floats_gives_floats(tmp_path, slope, inter):
    volume = nifti.read(stretched(tmp_path / "a.nii", slope, inter, noise(dtype=np.float32)))
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array[0], noise() * slope + inter)


def test_fractional_scaling_gives_floats(tmp_path):
    path = stretched(tmp_path / "a.nii", 0.25, 1.5, noise())
    volume = nifti.read(path)
    assert volume.array.dtype == np.float32
    assert np.allclose(volume.array[0], noise() * 0.25 + 1.5)
    assert np.allclose(volume.array[0], nib.load(path).get_fdata())
    doubles = nifti.read(stretched(tmp_path / "b.nii", 0.25, 1.5, noise(dtype=np.float64)))
    assert doubles.array.dtype == np.float64


def test_a_slope_of_zero_means_none(tmp_path):
    volume = nifti.read(stretched(tmp_path / "a.nii", 0, 5, noise()))
    assert np.array_equal(volume.array[0], noise())


def test_a_2d_file_is_one_slice(tmp_path):
    volume = nifti.read(saved(tmp_path / "a.nii", noise((6, 7)), pixdim=[1, 2, 3, 0, 0, 0, 0, 0]))
    assert volume.shape == (6, 7, 1)
    assert np.array_equal(volume.array[0, ..., 0], noise((6, 7)))


def test_trailing_axes_of_one_are_dropped(tmp_path):
    volume = nifti.read(saved(tmp_path / "a.nii", noise((6, 7, 8, 1))))
    assert volume.shape == (6, 7, 8)


def test_4d_is_refused_with_its_shape_and_a_way_out(tmp_path):
    error = refused(saved(tmp_path / "a.nii.gz", noise((6, 7, 8, 3))))
    assert error.code == "io.dimensions"
    assert "4D image of shape (6, 7, 8, 3)" in error.problem
    assert "CASE_0000.nii.gz" in error.fix
    error = refused(saved(tmp_path / "b.nii.gz", noise((6, 7, 8, 1, 3))))
    assert "5D image of shape (6, 7, 8, 1, 3)" in error.problem


def test_nonfinite_voxels_are_counted(tmp_path):
    array = noise(dtype=np.float32)
    array[2, 3, 4] = np.nan
    array[5, 6, 7] = -np.inf
    error = refused(saved(tmp_path / "a.nii.gz", array))
    assert error.code == "io.nonfinite"
    assert "2 of 336 voxels" in error.problem
    assert "(2, 3, 4)" in error.problem


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_truncation_at_any_length_is_refused_with_counts(tmp_path, suffix):
    path = saved(tmp_path / f"a{suffix}", noise())
    whole = path.read_bytes()
    some = np.random.default_rng(1).integers(1, len(whole), 150)
    for length in {1, 2, 3, 100, len(whole) - 1, *some.tolist()}:
        path.write_bytes(whole[:length])
        error = refused(path)
        assert error.code in ("io.truncated", "io.format")
        assert (error.code == "io.truncated") or length < 4
        assert any(character.isdigit() for character in error.problem)
    path.write_bytes(whole)
    assert nifti.read(path).shape == (6, 7, 8)


def test_the_voxels_that_are_there_are_counted(tmp_path):
    path = saved(tmp_path / "a.nii", noise())
    path.write_bytes(path.read_bytes()[: 352 + 100 * 2 + 1])
    assert "file ends after 100 of 336 voxels" in refused(path).problem
    path = saved(tmp_path / "b.nii.gz", noise())
    path.write_bytes(path.read_bytes()[:-8])
    error = refused(path)
    assert error.code == "io.truncated"
    assert "336 of 336 voxels, before the checksum" in error.problem
    path = saved(tmp_path / "c.nii", noise(), vox_offset=1000)
    path.write_bytes(path.read_bytes()[:600])
    assert refused(path).problem == "file ends after 0 of 336 voxels"


def test_no_flipped_bit_of_a_gzipped_file_changes_anything_silently(tmp_path):
    path = saved(tmp_path / "a.nii.gz", noise())
    whole, before = path.read_bytes(), nifti.read(path)
    some = np.random.default_rng(2).integers(0, len(whole) * 8, 200)
    refusals = 0
    for bit in [*range(80), *some.tolist()]:
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            after = nifti.read(path)
        except InputError:
            refusals += 1
        else:
            # gzip's own header and the padding before the checksum have bits without meaning
            assert np.array_equal(after.array, before.array)
            assert np.array_equal(after.affine.matrix, before.affine.matrix)
    assert refusals >= 200


def test_bytes_after_the_voxels_are_refused(tmp_path):
    path = saved(tmp_path / "a.nii", noise())
    path.write_bytes(path.read_bytes() + b"12345")
    error = refused(path)
    assert error.code == "io.length"
    assert "5 bytes follow the 336 voxels" in error.problem


def test_every_mutated_header_byte_is_refused_or_read_without_harm(tmp_path):
    path = saved(tmp_path / "a.nii", noise((3, 4, 5)))
    whole = path.read_bytes()
    for position in range(348):
        for value in (0x00, 0x7F, 0xFF):
            damaged = bytearray(whole)
            damaged[position] = value
            path.write_bytes(damaged)
            try:
                volume = nifti.read(path)
            except InputError:
                continue
            assert volume.array.size == 60
            assert np.isfinite(volume.array).all()


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_header_that_claims_27_terabytes_is_refused_at_once(tmp_path, suffix):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.float64)
    header["dim"] = [3, 15_000, 15_000, 15_000, 1, 1, 1, 1]
    header["vox_offset"] = 352
    data = header.binaryblock + bytes(4)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(gzip.compress(data) if suffix == ".nii.gz" else data)
    start = time.monotonic()
    error = refused(path)
    assert time.monotonic() - start < 1
    assert error.code == "io.too_large"
    assert "27,000,000,000,000 bytes" in error.problem


def test_a_lying_header_before_much_data_is_refused_before_the_data_is_read(tmp_path):
    header = nib.Nifti1Header()
    header["dim"] = [3, 15_000, 15_000, 15_000, 1, 1, 1, 1]
    header["vox_offset"] = 352
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(header.binaryblock + bytes(300_000_000), compresslevel=1))
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from samplar.io import nifti\n"
        "from samplar.errors import InputError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n"
        "    nifti.read(Path(sys.argv[1]))\n"
        "except InputError as error:\n"
        "    print(error.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, grown_kib = done.stdout.split()
    assert code == "io.too_large"
    assert int(grown_kib) < 50_000
    assert resource.RUSAGE_SELF == 0


def test_labels_are_whole_numbers_of_any_stored_type(tmp_path):
    array = noise() % 5
    for dtype in (np.uint8, np.int16, np.float32, np.float64):
        read = nifti.read_labels(saved(tmp_path / "a.nii.gz", array.astype(dtype)))
        assert read.array.dtype.kind in "iu"
        assert np.array_equal(read.array, array)
        assert read.notes == ()
        assert read.shape == (6, 7, 8)
        assert read.spacing == pytest.approx((1.5, 2, 4))
        assert not read.is_raster


def test_labels_a_rounding_away_are_rounded_and_said(tmp_path):
    array = (noise() % 5) * np.float32(0.99999)
    read = nifti.read_labels(saved(tmp_path / "a.nii.gz", array))
    assert np.array_equal(read.array, noise() % 5)
    assert "rounded" in read.notes[0]


def test_probabilities_are_no_labels(tmp_path):
    path = saved(tmp_path / "a.nii.gz", noise().astype(np.float32) / 100)
    with pytest.raises(InputError) as caught:
        nifti.read_labels(path)
    assert caught.value.code == "labels.fraction"
