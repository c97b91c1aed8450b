from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from samplar.errors import InputError
from samplar.io.admission import MAX_AXIS, MAX_BYTES
from samplar.io.nifti_header import check_layout, parse, stored

HERE = Path("scan.nii")


def header(**fields) -> nib.Nifti1Header:
    made = nib.Nifti1Header()
    made.set_data_shape((4, 5, 6))
    made["vox_offset"] = 352
    for name, value in fields.items():
        made[name] = value
    return made


def test_a_sound_header_gives_its_layout():
    layout = check_layout(header(datatype=4, bitpix=16, scl_slope=2, scl_inter=-1), HERE)
    assert layout.shape == (4, 5, 6)
    assert layout.voxels == 120
    assert layout.dtype == np.int16
    assert (layout.offset, layout.slope, layout.inter) == (352, 2, -1)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_every_kind_of_number_is_known_by_its_code(dtype, order):
    made = nib.Nifti1Header(endianness=order)
    made.set_data_dtype(dtype)
    made.set_data_shape((4, 5, 6))
    made["vox_offset"] = 352
    assert check_layout(made, HERE).dtype == np.dtype(order + dtype)


@pytest.mark.parametrize(
    ("dim", "shape"),
    [
        ([2, 4, 5, 9, 9, 9, 9, 9], (4, 5, 1)),
        ([3, 4, 5, 1, 9, 9, 9, 9], (4, 5, 1)),
        ([3, 1, 5, 6, 9, 9, 9, 9], (1, 5, 6)),
        ([4, 4, 5, 6, 1, 9, 9, 9], (4, 5, 6)),
        ([7, 4, 5, 6, 1, 1, 1, 1], (4, 5, 6)),
        ([3, MAX_AXIS, 1, 1, 1, 1, 1, 1], (MAX_AXIS, 1, 1)),
    ],
)
def test_two_or_three_axes_and_any_of_one_behind_them(dim, shape):
    assert check_layout(header(dim=dim), HERE).shape == shape


def test_file_and_voxels_together_are_bounded():
    sizes = {"dim": [3, 16_384, 16_384, 7, 1, 1, 1, 1], "datatype": 2, "bitpix": 8}
    room = MAX_BYTES - 16_384 * 16_384 * 7
    assert check_layout(header(vox_offset=room, **sizes), HERE).offset == room
    with pytest.raises(InputError) as caught:
        check_layout(header(vox_offset=room + 32, **sizes), HERE)
    assert caught.value.code == "io.too_large"


@pytest.mark.parametrize("slope", [0, np.nan])
def test_no_slope_is_no_scaling(slope):
    layout = check_layout(header(scl_slope=slope, scl_inter=5), HERE)
    assert (layout.slope, layout.inter) == (1, 0)


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"datatype": 128, "bitpix": 24}, "io.dtype", "RGB colours"),
        ({"datatype": 2304, "bitpix": 32}, "io.dtype", "RGBA colours"),
        ({"datatype": 32, "bitpix": 64}, "io.dtype", "data type 32"),
        ({"datatype": 4, "bitpix": 8}, "io.header", "8 bits a voxel, its data type has 16"),
        ({"dim": [0, 4, 5, 6, 1, 1, 1, 1]}, "io.dimensions", "[0, 4, 5, 6"),
        ({"dim": [8, 4, 5, 6, 1, 1, 1, 1]}, "io.dimensions", "[8, 4, 5, 6"),
        ({"dim": [3, 4, -5, 6, 1, 1, 1, 1]}, "io.dimensions", "-5"),
        ({"dim": [3, 4, 0, 6, 1, 1, 1, 1]}, "io.dimensions", "no sense"),
        ({"dim": [1, 4, 1, 1, 1, 1, 1, 1]}, "io.dimensions", "1D image of shape (4,)"),
        ({"dim": [1, 1, 1, 1, 1, 1, 1, 1]}, "io.dimensions", "1D image of shape (1,)"),
        ({"dim": [4, 4, 5, 6, 2, 1, 1, 1]}, "io.dimensions", "4D image of shape (4, 5, 6, 2)"),
        ({"dim": [5, 4, 5, 6, 1, 2, 1, 1]}, "io.dimensions", "5D image of shape (4, 5, 6, 1, 2)"),
        ({"dim": [5, 4, 5, 6, 2, 1, 1, 1]}, "io.dimensions", "4D image of shape (4, 5, 6, 2, 1)"),
        ({"dim": [3, MAX_AXIS + 1, 1, 1, 1, 1, 1, 1]}, "io.too_large", "20001 x 1 x 1"),
        ({"dim": [3, 30_000, 1, 1, 1, 1, 1, 1]}, "io.too_large", "30000 x 1 x 1"),
        ({"dim": [3, 2000, 2000, 2000, 1, 1, 1, 1]}, "io.too_large", "32,000,000,000 bytes"),
        ({"vox_offset": 0}, "io.header", "begin at byte 0"),
        ({"vox_offset": 351}, "io.header", "byte 351, which cannot be (least 352)"),
        ({"vox_offset": 352.5}, "io.header", "byte 352.5"),
        ({"vox_offset": np.nan}, "io.header", "byte nan"),
        ({"vox_offset": 1e20}, "io.header", "byte 1e+20"),
        ({"scl_slope": np.inf, "scl_inter": 0}, "io.header", "slope inf"),
        ({"scl_slope": 2, "scl_inter": np.nan}, "io.header", "intercept nan"),
    ],
)
def test_claims_that_cannot_be_are_named(fields, code, words):
    with pytest.raises(InputError) as caught:
        check_layout(header(**fields), HERE)
    assert caught.value.code == code
    assert words in caught.value.problem


def test_a_pair_is_refused_with_a_way_out():
    data = bytearray(header().binaryblock + bytes(4))
    data[344:348] = b"ni1\0"
    with pytest.raises(InputError, match=r"another file \(\.img\)") as caught:
        parse(data, HERE)
    assert "one .nii.gz" in caught.value.fix


@pytest.mark.parametrize("magic", [b"abcd", b"n+9\0"])
def test_other_magic_is_no_nifti(magic):
    data = bytearray(header().binaryblock + bytes(4))
    data[344:348] = magic
    with pytest.raises(InputError) as caught:
        parse(data, HERE)
    assert caught.value.code == "io.format"
    assert f"its magic is {magic!r}" in caught.value.problem


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("kind", "least", "code"),
    [(nib.Nifti1Header, 352, "io.truncated"), (nib.Nifti2Header, 544, "io.format")],
)
def test_a_header_and_four_bytes_are_the_least(kind, order, least, code):
    made = kind(endianness=order)
    made.set_data_shape((4, 5, 6))
    whole = made.binaryblock + bytes(4)
    assert len(whole) == least
    parsed = parse(whole, HERE)
    assert type(parsed) is kind
    assert parsed == made
    with pytest.raises(InputError) as caught:
        parse(whole[:-1], HERE)
    assert caught.value.code == code


def test_a_short_header_is_truncated():
    with pytest.raises(InputError, match="ends after 100 bytes") as caught:
        parse(header().binaryblock[:100], HERE)
    assert caught.value.code == "io.truncated"


def test_stored_headers_are_little_endian_and_whole():
    big = nib.Nifti2Header(endianness=">")
    big.set_data_shape((4, 5, 6))
    kept = stored(parse(big.binaryblock + bytes(4), HERE))
    assert kept.version == 2
    assert nib.Nifti2Header(kept.raw, endianness="<").get_data_shape() == (4, 5, 6)
    assert stored(header()).version == 1
    assert stored(header()).raw == header().binaryblock
