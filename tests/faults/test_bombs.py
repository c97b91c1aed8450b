"""Small files that unpack to more than there is memory for: refused at once, in little memory."""

from __future__ import annotations

import gzip
import io
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
from fuzzing.images import nifti_bytes, tiff_bytes

MEMORY = 1 << 30
SECONDS = 5
HUGE = 1 << 32  # bytes that come out of each


def zeros(wrapper: int, count: int = HUGE, first: bytes = b"") -> bytes:
    """Return `first` and then zeros, deflated; the zeros are the same block again and again."""
    squeezer = zlib.compressobj(1, wbits=wrapper)
    pieces = [squeezer.compress(first), squeezer.flush(zlib.Z_FULL_FLUSH)]
    block = squeezer.compress(bytes(1 << 20)) + squeezer.flush(zlib.Z_FULL_FLUSH)
    again = squeezer.compress(bytes(1 << 20)) + squeezer.flush(zlib.Z_FULL_FLUSH)
    return b"".join([*pieces, block, again * (count >> 20)])


def small_nifti_large_gzip() -> bytes:
    return zeros(31, first=nifti_bytes(np.ones((4, 4, 4), np.uint8)))


def gzip_in_gzip() -> bytes:
    return gzip.compress(zeros(31))


def nifti_of_terabytes() -> bytes:
    data = bytearray(nifti_bytes(np.ones((4, 4, 4), np.uint8)))
    struct.pack_into("<3h", data, 42, 30_000, 30_000, 30_000)
    return bytes(data)


def chunk(name: bytes, content: bytes) -> bytes:
    body = name + content
    return len(content).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def png(width: int, height: int, colour: int, pixels: bytes) -> bytes:
    header = struct.pack(">2I5B", width, height, 8, colour, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def large_png() -> bytes:
    return png(60_000, 60_000, 2, zeros(15))


def small_png_large_pixels() -> bytes:
    return png(8, 8, 0, zeros(15))


def wide_png() -> bytes:
    return png(9_400, 9_400, 6, zeros(15))


def tiff_strip() -> bytes:
    """A strip of 4 GiB behind the tags of an 8 x 8 picture."""
    data = bytearray(tiff_bytes(np.ones((8, 8), np.uint8), compression="zlib", rowsperstrip=8))
    bomb = zeros(15)
    count = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[count : count + 2], "little")
    for number in range(entries):
        at = count + 2 + 12 * number
        tag = int.from_bytes(data[at : at + 2], "little")
        if tag in (273, 279):
            value = len(data) if tag == 273 else len(bomb)
            data[at + 2 : at + 12] = struct.pack("<HII", 4, 1, value)
    return bytes(data) + bomb


def npz(shape: tuple[int, ...], held: int) -> bytes:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = header.ljust(117) + b"\n"
    begin = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("imgs.npy", begin + bytes(held))
    return stream.getvalue()


def npz_small_shape() -> bytes:
    return npz((4, 4, 4), 1 << 26)


def npz_terabytes() -> bytes:
    return npz((10_000, 10_000, 10_000), 1 << 20)


def pth_squeezed() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", b"\x80\x02}.")
        file.writestr("archive/data/0", bytes(1 << 26))
    return stream.getvalue()


BOMBS = {
    "a.nii.gz": [small_nifti_large_gzip, gzip_in_gzip],
    "a.nii": [nifti_of_terabytes],
    "a.png": [large_png, small_png_large_pixels, wide_png],
    "a.tif": [tiff_strip],
    "a.npz": [npz_small_shape, npz_terabytes],
    "a.pth": [pth_squeezed],
}
CHILD = """
import sys, time
from pathlib import Path
from samplar.errors import SamplarError
from samplar.io.formats import read_image
from samplar.sam.convert import read_checkpoint
for name in sys.argv[1:]:
    start = time.perf_counter()
    try:
        read_checkpoint(Path(name)) if name.endswith(".pth") else read_image([Path(name)])
        said = "read"
    except SamplarError as error:
        said = error.code
    # Not getrusage: its peak begins with that of the process that started this one.
    status = Path("/proc/self/status").read_text()
    peak = 1024 * int(status.partition("VmHWM:")[2].split()[0])
    print(Path(name).parent.name, said, time.perf_counter() - start, peak)
"""


def test_none_goes_off(tmp_path):
    """All in one child process, whose memory can be told from that of the tests."""
    paths = []
    for name, makers in BOMBS.items():
        for make in makers:
            path = tmp_path / make.__name__ / name
            path.parent.mkdir()
            path.write_bytes(make())
            paths.append(path)
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, paths)], capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
    rows = [line.split() for line in ran.stdout.splitlines()]
    assert [row[0] for row in rows] == [path.parent.name for path in paths]
    refusals = {"io.too_large", "io.length", "io.format", "io.corrupt", "weights.damaged"}
    for name, said, seconds, peak in rows:
        assert said in refusals, name
        assert float(seconds) < SECONDS, name
        assert float(peak) < MEMORY, name
