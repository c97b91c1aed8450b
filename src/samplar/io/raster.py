"""Plain images (PNG, JPEG, TIFF): no spacing, one slice, rows first."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from samplar.errors import InputError
from samplar.io import png, tiff
from samplar.io.admission import check_finite, kind_of, too_large, whole_numbers
from samplar.io.affine import Affine
from samplar.io.atomic import write_new, write_with
from samplar.io.content import read_content
from samplar.io.picture import DECODE_ERRORS, Picture, check_size, damaged
from samplar.io.volume import LabelVolume, Volume

_SHOWN = 8


def read(path: Path) -> Volume:
    """Read an image as (c, H, W, 1), upright, palette colours as RGB.

    Raises:
        InputError: of `samplar.io.content`, `png`, `tiff`, and `io.channels` for transparency.
    """
    picture = _decode(path)
    array = picture.upright()
    array = _shades(array, picture) if picture.palette is None else picture.palette[array]
    check_finite(array, path)
    if array.ndim == 3 and array.shape[2] == 2:
        array = _without_alpha(array, path)
    planes = array[None] if array.ndim == 2 else np.moveaxis(array, 2, 0)
    return Volume(np.ascontiguousarray(planes)[..., None], Affine.pixels(), "px", (path,))


def read_labels(path: Path) -> LabelVolume:
    """Read a mask as (H, W, 1): grey levels, palette indices or bits are the values.

    Raises:
        InputError: `labels.jpeg`, `labels.colours`, and as `read`.
    """
    picture = _decode(path, labels=True)
    array = picture.upright()
    if array.ndim == 3:
        raise _colour_mask(array, path)
    values, notes = whole_numbers(np.ascontiguousarray(array), path)
    if picture.white_is_zero:
        notes += (f"{path}: this TIFF counts white as 0, its numbers are used as they are stored",)
    return LabelVolume(values[..., None], Affine.pixels(), "px", path, notes)


def write_labels(path: Path, values: np.ndarray) -> None:
    """Write label values (H, W, 1) as 8-bit grey PNG, or as 16-bit TIFF if `path` ends in .tif.

    Raises:
        OutputError: see `samplar.io.atomic.write_with`.
    """
    flat = np.asarray(values, dtype=np.min_scalar_type(int(values.max(initial=0))))[..., 0]
    stream = io.BytesIO()
    if path.suffix.lower() in (".tif", ".tiff"):
        tifffile.imwrite(stream, flat, compression="zlib")
    else:
        Image.fromarray(flat).save(stream, "PNG")

    def verify(written: Path) -> None:
        if not np.array_equal(read_labels(written).array[..., 0], flat):
            raise ValueError("the labels differ")

    write_with(path, lambda target: write_new(target, stream.getvalue()), verify)


def _decode(path: Path, *, labels: bool = False) -> Picture:
    data = read_content(path).data
    kind = kind_of(bytes(data[:132]), path)
    if kind == "png":
        return png.decode(data, path)
    if kind == "tiff":
        return tiff.decode(data, path)
    if kind == "jpeg" and labels:
        problem = "is a JPEG, whose compression changes label values"
        fix = "Export the mask as PNG from the program that made it"
        raise InputError(problem, fix=fix, code="labels.jpeg", path=path)
    if kind == "jpeg":
        return _decode_jpeg(data, path)
    raise InputError(
        f"is {kind}, not a plain image", fix="Use PNG, JPEG or TIFF", code="io.format", path=path
    )


def _decode_jpeg(data: bytearray, path: Path) -> Picture:
    if b"\xff\xd9" not in data:
        problem = f"file ends after {len(data):,} bytes without the end mark of a JPEG"
        raise damaged(problem, path, code="io.truncated")
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            check_size(*image.size, path, depth=len(image.getbands()))
            image.load()
            orientation = int(image.getexif().get(274, 1))
            array, mode = np.asarray(image), image.mode
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_large(f"image ({error})", path) from error
    except DECODE_ERRORS as error:
        raise damaged(f"pixels cannot be decoded ({error})", path) from error
    if mode not in ("L", "RGB"):
        fix = "Save it as RGB or grey"
        raise InputError(f"JPEG in {mode} colours", fix=fix, code="io.dtype", path=path)
    return Picture(array, orientation=orientation)


def _shades(array: np.ndarray, picture: Picture) -> np.ndarray:
    """Return grey levels that grow towards white, those of fewer than 8 bits spread over 0..255."""
    if picture.gain > 1:
        array = array * np.uint8(picture.gain)
    if picture.white_is_zero:
        array = ~array if array.dtype.kind == "u" else -array
    return array


def _without_alpha(array: np.ndarray, path: Path) -> np.ndarray:
    """Return the grey levels of (h, w, 2) whose second channel, the transparency, is constant."""
    alpha = array[..., 1]
    if (alpha != alpha.flat[0]).any():
        levels = len(np.unique(alpha))
        problem = f"grey image whose transparency takes {levels} values"
        fix = "Save it without transparency"
        raise InputError(problem, fix=fix, code="io.channels", path=path)
    return array[..., 0]


def _colour_mask(array: np.ndarray, path: Path) -> InputError:
    colours, counts = np.unique(array.reshape(-1, array.shape[2]), axis=0, return_counts=True)
    order = np.argsort(-counts)[:_SHOWN]
    listing = ", ".join(f"{tuple(colours[i].tolist())}: {counts[i]:,} pixels" for i in order)
    more = "" if len(colours) <= _SHOWN else f" and {len(colours) - _SHOWN:,} more"
    if (array == array[..., :1]).all():
        fix = "Its channels are equal: save one of them as 8-bit grey PNG"
    else:
        fix = "Save it as 8-bit grey PNG with 0 for the background and 1, 2, ... for these colours"
    problem = f"mask in {array.shape[2]} channels, {len(colours):,} colours: {listing}{more}"
    return InputError(problem, fix=fix, code="labels.colours", path=path)
