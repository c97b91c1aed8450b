"""Images and label maps: NIfTI, PNG, TIFF, JPEG, npz."""

from __future__ import annotations

import gzip
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import tifffile
from PIL import Image

from fuzzing.target import Reading, Target
from samplar.io.formats import read_image, read_labels


def image_targets() -> list[Target]:
    """Return every kind of image file."""
    return [*_nifti(), *_png(), *_tiff(), _jpeg(), *_npz()]


def image(path: Path) -> Reading:
    """Read an image as everything that is used of it."""
    volume = read_image([path])
    return _all_of(volume.array, volume.affine.matrix), volume.unit


def labels(path: Path) -> Reading:
    """Read a label map as everything that is used of it."""
    volume = read_labels(path)
    return _all_of(volume.array, volume.affine.matrix), volume.unit


def _all_of(array: np.ndarray, affine: np.ndarray) -> Reading:
    return array.shape, array.dtype.str, array.tobytes(), affine.tobytes()


def _grey(shape: tuple[int, ...], seed: int, top: int = 250) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, top, shape)


def nifti_bytes(
    array: np.ndarray, *, kind: type[Any] = nibabel.Nifti1Image, turn: float = 0.0, order: str = "<"
) -> bytes:
    """Return a NIfTI file with both forms set."""
    affine = np.array([[-0.9, 0, 0, 10], [0, 1.1, 0, -20], [0, 0, 3.5, 5], [0, 0, 0, 1]])
    c, s = np.cos(turn), np.sin(turn)
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ affine[:3, :3]
    made = kind(array, affine)
    made.header.set_xyzt_units("mm")
    made.set_qform(affine, 1)
    made.set_sform(affine, 1)
    if order == ">":
        made = kind(array, affine, made.header.as_byteswapped(">"))
    return made.to_bytes()


def nifti_says(data: bytes) -> Reading | None:
    """Read an uncompressed NIfTI by nibabel: values with scaling, affine of the form in use."""
    kind = nibabel.Nifti2Image if data[4:6] == b"n+" else nibabel.Nifti1Image
    try:
        with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
            made = kind.from_bytes(data)
            array = np.asanyarray(made.dataobj)
    except Exception:
        return None
    shape = (*array.shape, 1)[:3]
    return shape, array.astype(np.float32).tobytes(), made.affine.tobytes()


def _nifti_values(path: Path) -> Reading:
    volume = read_image([path])
    values = volume.array[0].astype(np.float32)  # as it is kept; nibabel scales in float64
    return volume.shape, values.tobytes(), volume.affine.matrix.tobytes()


def _nifti() -> list[Target]:
    grey = _grey((8, 7, 5), 1, 900).astype(np.int16)
    classes = (_grey((16, 14, 12), 2, 4) - 1).astype(np.uint8)
    plain, other = nifti_bytes(grey), nifti_bytes(grey.astype(np.float32)[:4], turn=0.3)
    second = nifti_bytes(grey, kind=nibabel.Nifti2Image)
    big = nifti_bytes(grey.astype(">i2"), order=">")
    zipped, zipped_other = (gzip.compress(data, mtime=0) for data in (plain, other))
    masks = [gzip.compress(nifti_bytes(c), mtime=0) for c in (classes, classes[:5])]
    return [
        Target("nifti", "a.nii", plain, _nifti_values, False, other, nifti_says),
        Target("nifti 2", "a.nii", second, _nifti_values, False, plain, nifti_says),
        Target("nifti big-endian", "a.nii", big, _nifti_values, False, plain, nifti_says),
        Target("nifti gzip", "a.nii.gz", zipped, image, True, zipped_other),
        Target("nifti gzip labels", "a.nii.gz", masks[0], labels, True, masks[1]),
    ]


def png_bytes(array: np.ndarray, **settings: Any) -> bytes:
    """Return a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", **settings)
    return stream.getvalue()


def _png() -> list[Target]:
    grey = _grey((20, 31), 3).astype(np.uint8)
    colour = _grey((12, 17, 3), 4).astype(np.uint8)
    deep = _grey((15, 20), 5, 60_000).astype(np.uint16)
    classes = (_grey((60, 41), 6, 4) - 1).astype(np.uint8)
    return [
        Target("png", "a.png", png_bytes(grey), image, True, png_bytes(grey.T.copy())),
        Target("png colour", "a.png", png_bytes(colour), image, True, png_bytes(grey)),
        Target("png 16 bit", "a.png", png_bytes(deep), image, True, png_bytes(deep[:9])),
        Target("png labels", "a.png", png_bytes(classes), labels, True, png_bytes(classes[:30])),
    ]


def tiff_bytes(array: np.ndarray, **settings: Any) -> bytes:
    """Return a TIFF file."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **settings)
    return stream.getvalue()


def _tiff() -> list[Target]:
    grey = _grey((20, 31), 7).astype(np.uint8)
    deep = _grey((18, 20), 8, 60_000).astype(np.uint16)
    plain, zipped = tiff_bytes(grey), tiff_bytes(deep, compression="zlib")
    return [
        Target("tiff", "a.tif", plain, image, False, tiff_bytes(grey.T.copy())),
        Target("tiff zlib", "a.tif", zipped, image, False, plain),
        Target("tiff labels", "a.tif", tiff_bytes(grey % 4), labels, False, zipped),
    ]


def _jpeg() -> Target:
    waves = np.multiply.outer(np.arange(40), np.arange(48)) % 251
    made = []
    for quality in (90, 60):
        stream = io.BytesIO()
        Image.fromarray(waves.astype(np.uint8)).save(stream, "JPEG", quality=quality)
        made.append(stream.getvalue())
    return Target("jpeg", "a.jpg", made[0], image, False, made[1])


def npz_bytes(**arrays: np.ndarray) -> bytes:
    """Return an npz archive."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def _npz() -> list[Target]:
    grey = _grey((5, 7, 8), 9).astype(np.uint8)
    spacing = np.array([0.9, 1.1, 3.5])
    whole = npz_bytes(imgs=grey, gts=grey % 3, spacing=spacing)
    other = npz_bytes(imgs=grey[:3], gts=grey[:3] % 3, spacing=spacing * 2)
    readers: list[tuple[str, Callable[[Path], Reading]]] = [("npz", image), ("npz labels", labels)]
    return [Target(name, "a.npz", whole, read, True, other) for name, read in readers]
