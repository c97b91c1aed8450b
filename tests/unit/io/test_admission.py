from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from samplar.errors import InputError
from samplar.io.admission import (
    check_file,
    check_finite,
    check_grid,
    explain_mask_values,
    kind_of,
    whole_numbers,
)
from samplar.io.affine import Affine
from samplar.io.formats import read_image, read_labels
from samplar.io.volume import LabelVolume, Volume

HERE = Path("mask.png")


@pytest.fixture
def strange(tmp_path):
    """Paths that exist and are no image, each with the code they are refused with."""
    (tmp_path / "folder.nii.gz").mkdir()
    (tmp_path / "empty.nii.gz").touch()
    (tmp_path / "dangling.nii.gz").symlink_to(tmp_path / "gone")
    (tmp_path / "loop.nii.gz").symlink_to(tmp_path / "loop.nii.gz")
    os.mkfifo(tmp_path / "pipe.nii.gz")
    (tmp_path / "page.nii.gz").write_bytes(b"\n<!DOCTYPE html><html><body>Please log in</body>")
    (tmp_path / "noise.nii.gz").write_bytes(bytes(range(100, 255)))
    (tmp_path / "text.png").write_bytes(b"hello")
    (tmp_path / "scan.nii").write_bytes(bytes(128) + b"DICM" + bytes(400))
    (tmp_path / "scan.nrrd").write_bytes(b"NRRD0004\n" + bytes(400))
    with (tmp_path / "huge.nii").open("wb") as file:
        file.truncate(3 * 1024**3)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("folder.nii.gz", "io.not_file", "is a folder"),
        ("empty.nii.gz", "io.empty", "0 bytes"),
        ("dangling.nii.gz", "io.missing", "link points to a file that is not there"),
        ("loop.nii.gz", "io.unreadable", "symbolic links"),
        ("pipe.nii.gz", "io.not_file", "a pipe or device"),
        ("page.nii.gz", "io.format", "web page"),
        ("noise.nii.gz", "io.format", "64 65 66 67 68 69 6a 6b"),
        ("text.png", "io.format", "68 65 6c 6c 6f"),
        ("scan.nii", "io.format", "DICOM"),
        ("scan.nrrd", "io.format", "NRRD"),
        ("huge.nii", "io.too_large", "3,221,225,472 bytes"),
        ("gone.nii.gz", "io.missing", "no such file"),
        ("x" * 300, "io.unreadable", "too long"),
        ("nul\0.png", "io.unreadable", "null"),
    ],
)
@pytest.mark.parametrize("reader", [lambda path: read_image([path]), read_labels])
def test_what_is_no_image_is_refused_by_name_and_without_delay(strange, reader, name, code, words):
    start = time.monotonic()
    with pytest.raises(InputError) as caught:
        reader(strange / name)
    assert time.monotonic() - start < 1
    assert caught.value.code == code
    assert words in caught.value.problem
    assert caught.value.path == str(strange / name)
    assert caught.value.fix
    assert caught.value.exit_status == 3


def test_check_file_returns_the_size(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert check_file(tmp_path / "a").st_size == 5


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"II*\0", "tiff"),
        (b"MM\0*", "tiff"),
        (b"II+\0", "tiff"),
        (b"MM\0+", "tiff"),
        (b"PK\x03\x04", "zip"),
        (b"\x5c\x01\0\0", "nifti"),
        (b"\0\0\x01\x5c", "nifti"),
        (b"\x1c\x02\0\0", "nifti"),
        (b"\0\0\x02\x1c", "nifti"),
    ],
)
def test_the_first_bytes_decide_and_not_the_suffix(head, kind):
    assert kind_of(head, Path("wrong.txt")) == kind
    with pytest.raises(InputError, match="is not an image we know"):
        kind_of(b"?" + head, Path("moved.nii"))


@pytest.mark.parametrize(
    ("head", "what", "fix"),
    [
        (bytes(128) + b"DICM", "a DICOM file", "dcm2niix"),
        (b"NRRD0004", "an NRRD file", "NIfTI"),
        (b"ObjectType = Image", "a MetaImage file", "NIfTI"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "NIfTI"),
        (b"BM6", "a BMP image", "PNG"),
        (b"GIF89a", "a GIF image", "PNG"),
        (b"RIFF....WEBP", "a WebP image", "PNG"),
        (b" \n<?xml", "a web page or XML", "Download it again"),
    ],
)
def test_files_of_other_kinds_are_called_by_their_name(head, what, fix):
    with pytest.raises(InputError, match=f"is {what}") as caught:
        kind_of(head, HERE)
    assert caught.value.code == "io.format"
    assert fix in caught.value.fix


def test_of_an_unknown_file_the_first_eight_bytes_are_shown():
    with pytest.raises(InputError) as caught:
        kind_of(b"\x01\x02\x03\x04\x05\x06\x07\x08\x09", HERE)
    assert caught.value.problem.endswith("its first bytes are 01 02 03 04 05 06 07 08")


def test_a_file_may_have_two_gibibytes_and_not_one_byte_more(tmp_path):
    path = tmp_path / "large.nii"
    with path.open("wb") as file:  # sparse: it takes no room
        file.truncate(2_147_483_648)
        assert check_file(path).st_size == 2_147_483_648
        file.truncate(2_147_483_649)
    with pytest.raises(InputError, match="2,147,483,649 bytes is too large") as caught:
        check_file(path)
    assert "the bounds are 2,147,483,648 bytes and 20,000 voxels an axis" in caught.value.fix


def test_a_smaller_limit_may_be_set(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert check_file(tmp_path / "a", limit=5).st_size == 5
    with pytest.raises(InputError) as caught:
        check_file(tmp_path / "a", limit=4)
    assert caught.value.code == "io.too_large"


def test_nonfinite_voxels_are_counted_and_the_first_is_named():
    array = np.zeros((4, 5, 6), dtype=np.float32)
    array[1, 2, 3] = np.inf
    array[3, 4, 5] = np.nan
    with pytest.raises(InputError) as caught:
        check_finite(array, HERE)
    assert caught.value.code == "io.nonfinite"
    assert "2 of 120 voxels" in caught.value.problem
    assert "(1, 2, 3)" in caught.value.problem
    check_finite(np.zeros(3, dtype=np.int16), HERE)
    check_finite(np.zeros(3, dtype=np.float64), HERE)


def test_whole_numbers_keep_integers_as_they_are():
    for dtype in (np.uint8, np.int16, np.int64):
        given = np.array([0, 1, 100], dtype=dtype)
        values, notes = whole_numbers(given, HERE)
        assert values is given
        assert notes == ()


def test_whole_float_values_become_the_smallest_unsigned_type():
    values, notes = whole_numbers(np.array([0.0, 3.0, 255.0]), HERE)
    assert values.dtype == np.uint8
    assert values.tolist() == [0, 3, 255]
    assert notes == ()
    assert whole_numbers(np.array([256.0]), HERE)[0].dtype == np.uint16
    assert whole_numbers(np.array([True, False]), HERE)[0].tolist() == [1, 0]


def test_values_a_rounding_away_from_whole_numbers_are_rounded_with_a_note():
    values, notes = whole_numbers(np.array([0, 0.99998, 2.0005], dtype=np.float32), HERE)
    assert values.tolist() == [0, 1, 2]
    assert len(notes) == 1
    assert "0.0005 off" in notes[0]
    assert "mask.png" in notes[0]


def test_fractions_are_refused_with_values_and_counts():
    with pytest.raises(InputError) as caught:
        whole_numbers(np.array([0, 0.5, 0.5, 1.25, 3]), HERE)
    assert caught.value.code == "labels.fraction"
    assert "0.5 (2 voxels), 1.25 (1 voxels)" in caught.value.problem


def test_a_long_list_of_fractions_is_cut():
    with pytest.raises(InputError, match=r"0\.08 \(1 voxels\) and 91 more values"):
        whole_numbers(np.arange(1, 100) / 100, HERE)
    with pytest.raises(InputError, match=r"0\.08 \(1 voxels\) and 1 more values"):
        whole_numbers(np.arange(1, 10) / 100, HERE)
    with pytest.raises(InputError, match=r"0\.08 \(1 voxels\)") as caught:
        whole_numbers(np.arange(1, 9) / 100, HERE)
    assert "more" not in caught.value.problem


def test_a_thousandth_is_rounding_and_more_is_a_fraction():
    assert whole_numbers(np.array([0.001, 1.0]), HERE)[0].tolist() == [0, 1]
    with pytest.raises(InputError) as caught:
        whole_numbers(np.array([0.0011, 1.0]), HERE)
    assert caught.value.code == "labels.fraction"


def test_the_largest_label_is_65535():
    assert whole_numbers(np.array([0, 65_535]), HERE)[0].tolist() == [0, 65_535]


def test_a_label_map_without_voxels_is_let_through():
    assert whole_numbers(np.zeros((0, 3)), HERE)[0].size == 0


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([-1, 0, -1, 4]), "-1 (2 voxels)"),
        (np.array([0, 65_535, 65_536], dtype=np.int32), "65536 (1 voxels)"),
        (np.array([0.0, 1e30]), "1e+30 (1 voxels)"),
        (np.array([70_000, 0, -3]), "-3 (1 voxels), 70000 (1 voxels)"),
    ],
)
def test_values_out_of_range_are_refused(array, words):
    with pytest.raises(InputError) as caught:
        whole_numbers(array, HERE)
    assert caught.value.code == "labels.range"
    assert caught.value.problem == f"label values outside 0 to 65,535: {words}"


def test_nan_in_labels_is_a_nonfinite_voxel():
    with pytest.raises(InputError) as caught:
        whole_numbers(np.array([0, np.nan]), HERE)
    assert caught.value.code == "io.nonfinite"


def test_a_0_255_mask_is_explained_with_the_line_to_paste():
    fix = explain_mask_values([0, 255], [900, 100])
    assert '"labels": {"background": 0, "foreground": 255}' in fix
    assert explain_mask_values([255], [100]) == fix


def test_other_values_get_a_mapping_too():
    fix = explain_mask_values([0, 127, 200, 9], [1, 1, 1, 0])
    assert '"labels": {"background": 0, "class 1": 127, "class 2": 200}' in fix
    assert '{"background": 0}' in explain_mask_values([0], [5])


def test_a_photograph_is_not_offered_a_mapping():
    fix = explain_mask_values(range(66), [1] * 66)
    assert "65 different values" in fix
    assert "labels" not in fix
    assert '"class 64": 64' in explain_mask_values(range(65), [1] * 65)


def test_every_value_has_its_count():
    with pytest.raises(ValueError, match="zip"):
        explain_mask_values([1, 2], [3])


def image(shape=(4, 5, 6), matrix=None) -> Volume:
    affine = Affine(np.eye(4) if matrix is None else matrix)
    return Volume(np.zeros((1, *shape)), affine, "mm", (Path("image.nii"),))


def labels(shape=(4, 5, 6), matrix=None) -> LabelVolume:
    affine = Affine(np.eye(4) if matrix is None else matrix)
    return LabelVolume(np.zeros(shape, dtype=np.uint8), affine, "mm", Path("label.nii"))


def test_equal_grids_pass_and_rounding_is_forgiven():
    check_grid(image(), labels())
    moved = np.eye(4)
    moved[0, 3] = 0.0999
    check_grid(image(), labels(matrix=moved))


def test_a_tenth_of_the_smallest_spacing_is_too_far():
    thick, moved = np.diag([1.0, 0.5, 6, 1]), np.diag([1.0, 0.5, 6, 1])
    moved[2, 3] = 0.04
    check_grid(image(matrix=thick), labels(matrix=moved))
    moved[2, 3] = 0.06
    with pytest.raises(InputError, match=r"lies up to 0\.06 mm away"):
        check_grid(image(matrix=thick), labels(matrix=moved))


def test_another_sequence_must_lie_on_the_image_too():
    check_grid(image(), image())
    with pytest.raises(InputError, match="has 4 x 5 x 7 voxels") as caught:
        check_grid(image(), image(shape=(4, 5, 7)))
    assert caught.value.path == "image.nii"


def test_places_are_given_in_few_digits():
    other = np.diag([1.234567, 1, 1, 1])
    other[:3, 3] = [-12.3456, 0, 1]
    with pytest.raises(InputError) as caught:
        check_grid(image(), labels(matrix=other))
    assert "it has spacing 1.2346 x 1 x 1, origin (-12.35, 0, 1), axes RAS" in caught.value.problem


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (labels(shape=(4, 5, 7)), "has 4 x 5 x 7 voxels, image image.nii has 4 x 5 x 6"),
        (labels(matrix=np.diag([1, 1, 2, 1])), "spacing 1 x 1 x 2, origin (0, 0, 0), axes RAS"),
        (labels(matrix=np.diag([-1, 1, 1, 1])), "axes LAS, the image has spacing 1 x 1 x 1"),
        (labels(matrix=np.eye(4) + np.diag([11], 3)), "lies up to 11 mm away"),
    ],
)
def test_other_grids_are_refused_with_both_side_by_side(label, words):
    with pytest.raises(InputError) as caught:
        check_grid(image(), label)
    assert caught.value.code == "io.grid"
    assert words in caught.value.problem
    assert caught.value.path == "label.nii"
