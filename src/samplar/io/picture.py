"""A decoded plain image before it becomes a volume or a label map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from samplar.errors import InputError
from samplar.io.admission import too_large

MAX_PIXELS = 89_478_485
"""Pillow's own bound against decompression bombs."""

MAX_DECODED = 1 << 28
"""Bound on the bytes of a decoded picture: a quarter GiB, which is MAX_PIXELS in RGB."""

DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError)
"""What Pillow raises on damaged data, its own parse errors being SyntaxErrors."""


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels as stored, rows first.

    Args:
        array: (h, w) or (h, w, c); palette indices if there is a palette.
        palette: (n, 3) uint8 colours.
        orientation: EXIF orientation, 1 to 8; not yet applied.
        gain: factor from stored grey levels to the full 8-bit range (17 for 4-bit greys).
        white_is_zero: whether the stored numbers grow towards black (a TIFF can say so).
    """

    array: np.ndarray
    palette: np.ndarray | None = None
    orientation: int = 1
    gain: int = 1
    white_is_zero: bool = False

    def upright(self) -> np.ndarray:
        """Return the array turned the way the image is meant to be seen."""
        return upright(self.array, self.orientation)


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation (TIFF 6.0, tag 274) to rows and columns, exactly."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


def check_size(width: int, height: int, path: Path, *, depth: int = 1) -> None:
    """Refuse an image too large to decode; `depth` is the number of bytes of a pixel.

    Raises:
        InputError: `io.too_large` or `io.dimensions`.
    """
    if width * height > MAX_PIXELS or width * height * depth > MAX_DECODED:
        raise too_large(f"image of {width:,} x {height:,} pixels of {depth} bytes", path)
    if min(width, height) < 1:
        problem = f"image of {width} x {height} pixels is empty"
        fix = "Copy it again from the source"
        raise InputError(problem, fix=fix, code="io.dimensions", path=path)


def damaged(problem: str, path: Path, *, code: str = "io.corrupt") -> InputError:
    """Return the refusal of a file whose pixels cannot be had back."""
    return InputError(problem, fix="Copy it again from the source", code=code, path=path)
