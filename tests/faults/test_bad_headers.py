"""NIfTI headers that say what cannot be: named, with the number, before any voxel is believed."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from fuzzing.images import nifti_bytes
from refusals import choose, refused, small_set

NAN, INF = math.nan, math.inf
DIM, DATATYPE, BITPIX, PIXDIM, VOX_OFFSET = 40, 70, 72, 76, 108
SLOPE, INTER, UNITS, QCODE, SCODE, SROW, MAGIC = 112, 116, 123, 252, 254, 280, 344

CASES = [
    *((DIM, "h", n, "io.dimensions") for n in (0, 1, 8, 300, -1, 32767)),
    *((DIM + 2, "h", n, "io.dimensions") for n in (0, -5, -32768)),
    *((DIM + 4, "h", n, "io.dimensions") for n in (0, -1)),
    *((DIM + 6, "h", n, "io.dimensions") for n in (0, -1)),
    (DIM + 2, "h", 32767, "io.too_large"),
    (DIM + 6, "h", 20_001, "io.too_large"),
    *((DIM + 6, "h", n, "io.truncated") for n in (6, 500)),
    *((DIM + 6, "h", n, "io.length") for n in (1, 4)),
    *((DATATYPE, "h", n, "io.dtype") for n in (0, 1, 32, 128, 1536, 1792, 2048, 2304, 999, -4)),
    (DATATYPE, "h", 64, "io.header"),
    *((BITPIX, "h", n, "io.header") for n in (0, 1, 8, 32, -16, 32767)),
    *((VOX_OFFSET, "f", n, "io.header") for n in (0, 1, 351, 352.5, -352, NAN, INF, 1e12)),
    *((VOX_OFFSET, "f", n, "io.truncated") for n in (353, 400, 1e6)),
    *((SLOPE, "f", n, "io.header") for n in (INF, -INF)),
    *((PIXDIM + 4, "f", n, "io.header") for n in (NAN, INF, -INF)),
    *((PIXDIM + 12, "f", n, "io.header") for n in (NAN, INF)),
    *((SROW, "f", n, "io.affine") for n in (NAN, INF, 0)),
    *((SROW + 12, "f", n, "io.affine") for n in (NAN, INF)),
    *((SROW, "f", n, "io.spacing") for n in (1e9, 60, 1e-3, 3e38)),
    *((SCODE, "h", n, "io.header") for n in (6, 128, -1)),
    *((QCODE, "h", n, "io.header") for n in (6, 32767, -1)),
    (UNITS, "B", 1, "io.units"),
    (UNITS, "B", 3, "io.units"),
    *((MAGIC, "4s", word, "io.format") for word in (b"ni1\0", b"n+3\0", b"\0\0\0\0", b"n+1 ")),
    *((0, "i", n, "io.format") for n in (347, 0, -348)),
]

PAIRS = [
    ([(SCODE, "h", 0), (PIXDIM + 4, "f", 0)], "io.header"),
    ([(SCODE, "h", 0), (PIXDIM + 8, "f", -1)], "io.header"),
    ([(SCODE, "h", 0), (PIXDIM + 12, "f", 1e-6)], "io.spacing"),
    ([(SCODE, "h", 0), (QCODE, "h", 0), (PIXDIM + 4, "f", 0)], "io.header"),
    ([(SCODE, "h", 0), (256, "f", 2)], "io.affine"),
    ([(SCODE, "h", 0), (256, "f", NAN)], "io.affine"),
    ([(SLOPE, "f", 2), (INTER, "f", NAN)], "io.header"),
    ([(SLOPE, "f", 2), (INTER, "f", INF)], "io.header"),
    ([(SLOPE, "f", 3e38), (INTER, "f", 3e38)], "io.nonfinite"),
    ([(DIM, "h", 4), (DIM + 8, "h", 2)], "io.dimensions"),
    ([(DIM, "h", 5), (DIM + 10, "h", 3)], "io.dimensions"),
    ([(SROW + 4 * n, "f", 0) for n in (0, 4, 8)], "io.affine"),
    ([(SROW + 16 + 4 * n, "f", value) for n, value in enumerate((-0.9, 0, 0))], "io.affine"),
]


def said(tmp_path, edits, code: str) -> str:
    data = small_set(tmp_path / "set")
    shape = (5, 6, 5)
    whole = bytearray(nifti_bytes(np.arange(150).reshape(shape).astype(np.int16)))
    for offset, kind, value in edits:
        struct.pack_into(f"<{kind}", whole, offset, value)
    for name in ("images", "labels"):
        (data / name / "case0.nii.gz").unlink()
        (data / name / "case0.nii").write_bytes(whole)
    return refused(choose(data), status=3, code=code, names="case0.nii")


@pytest.mark.parametrize(("offset", "kind", "value", "code"), CASES)
def test_a_field_that_cannot_be(tmp_path, offset, kind, value, code):
    line = said(tmp_path, [(offset, kind, value)], code)
    assert offset == MAGIC or any(c.isdigit() for c in line.partition("case0.nii: ")[2])


@pytest.mark.parametrize(("edits", "code"), PAIRS)
def test_fields_that_do_not_go_together(tmp_path, edits, code):
    said(tmp_path, edits, code)
