"""Regions of a large TIFF image that is stored in parts at one or more resolutions.

Such files, as whole-slide scanners write them, pass every bound on a picture that is decoded as a
whole. Here nothing is: a region is put together from the parts it touches, one after another, so
memory is bounded by the region and one part, whatever the file's size.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import tifffile

from samplar.errors import InputError
from samplar.io.admission import check_file, kind_of, too_large
from samplar.io.picture import MAX_DECODED, damaged
from samplar.io.tiff import PARSE_ERRORS
from samplar.io.tiff_parts import LARGEST, Parts, decode_part, parts_of
from samplar.io.tiff_strips import overheard

MAX_FILE = 1 << 38
"""Bound on the file: 256 GiB."""

MAX_SIDE = 1 << 21
"""Bound on pixels along one axis: two million."""

MAX_PARTS = 1 << 24
"""Bound on the parts of one level."""

_UNEVEN = 0.02
"""How far the two axes of a level may be shrunk differently: rounding of small levels."""


@dataclass(frozen=True)
class Level:
    """One resolution.

    Args:
        height: in pixels.
        width: in pixels.
        scale: how many pixels of the first level a pixel spans along an axis.
    """

    height: int
    width: int
    scale: float


class Pyramid:
    """An open file; to be closed, or used in a `with` statement.

    Raises:
        InputError: those of `check_file`; `io.format` for what is no TIFF; `io.dimensions` for
            levels that are no resolutions of one image; `io.corrupt`, `io.truncated`, `io.dtype`
            and `io.too_large`. When it is closed: `io.changed`, if the file was.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        check_file(path, limit=MAX_FILE)
        self._file = path.open("rb")
        try:
            self._before = os.fstat(self._file.fileno())
            if kind_of(self._file.read(132), path) != "tiff":
                fix = "Convert it to a tiled, pyramidal TIFF, such as with libvips"
                raise InputError("is not a TIFF", fix=fix, code="io.format", path=path)
            pages = self._pages()
            self._stored = [_Stored.of(page, path) for page in pages]
            self.levels = _levels(self._stored, path)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Pyramid:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        after = os.fstat(self._file.fileno())
        self._file.close()
        seen = (self._before.st_size, self._before.st_mtime_ns)
        if error is None and seen != (after.st_size, after.st_mtime_ns):
            problem = "file changed while it was read"
            fix = "Wait until it is written, then run again"
            raise InputError(problem, fix=fix, code="io.changed", path=self.path)

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colours."""
        return self._stored[0].parts.channels

    def read(
        self, level: int, *, x: int, y: int, width: int, height: int, beyond: int = 255
    ) -> np.ndarray:
        """Return a region (height, width, channels) uint8.

        Args:
            level: number of the resolution, 0 being the finest.
            x: its left column, on that level; may be negative.
            y: its upper row.
            width: of the region.
            height: of the region.
            beyond: what lies outside the image; 255 is white.

        Raises:
            InputError: `io.corrupt` and `io.truncated`; `io.too_large` for a region beyond the
                bound on a decoded picture.
        """
        stored = self._stored[level]
        parts = stored.parts
        if width * height * parts.channels > MAX_DECODED:
            raise too_large(f"a region of {width:,} x {height:,} pixels", self.path)
        out = np.full((height, width, parts.channels), beyond, dtype=np.uint8)
        top, bottom = max(y, 0), min(y + height, stored.height)
        left, right = max(x, 0), min(x + width, stored.width)
        if top >= bottom or left >= right:
            return out
        for row in range(top // parts.rows, (bottom - 1) // parts.rows + 1):
            for column in range(left // parts.columns, (right - 1) // parts.columns + 1):
                part = self._part(stored, row, column)
                above, before = row * parts.rows, column * parts.columns
                upper, lower = max(top, above), min(bottom, above + len(part))
                first, last = max(left, before), min(right, before + parts.columns)
                out[upper - y : lower - y, first - x : last - x] = part[
                    upper - above : lower - above, first - before : last - before
                ]
        return out

    def _part(self, stored: _Stored, row: int, column: int) -> np.ndarray:
        parts, number = stored.parts, row * stored.parts.across + column
        count = stored.counts[number]
        self._file.seek(stored.offsets[number])
        data = self._file.read(count)
        if len(data) < count:
            problem = f"file ends inside the part at byte {stored.offsets[number]:,}"
            raise damaged(problem, self.path, code="io.truncated")
        rows = parts.rows if stored.tiled else min(parts.rows, stored.height - row * parts.rows)
        return decode_part(data, parts, self.path, rows=rows)

    def _pages(self) -> list[tifffile.TiffPage]:
        try:
            with overheard(self.path), tifffile.TiffFile(self.path) as file:
                series = file.series[0]
                found = [level.keyframe for level in series.levels if len(level.pages) == 1]
                if len(found) != len(series.levels):
                    problem = f"is a TIFF of {len(series.pages)} pages"
                    fix = "Save the stack as one NIfTI (.nii.gz), or each page as a file of its own"
                    raise InputError(problem, fix=fix, code="io.dimensions", path=self.path)
                return found
        except PARSE_ERRORS as error:
            raise damaged(f"its tags cannot be read ({error})", self.path) from error


@dataclass(frozen=True)
class _Stored:
    """Where the parts of a level are."""

    height: int
    width: int
    tiled: bool
    parts: Parts
    offsets: tuple[int, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, page: tifffile.TiffPage, path: Path) -> _Stored:
        """Read and check the layout of a page."""
        height, width = page.imagelength, page.imagewidth
        if max(height, width) > MAX_SIDE or len(page.dataoffsets) > MAX_PARTS:
            raise too_large(f"an image of {width:,} x {height:,} pixels", path)
        if min(height, width) < 1:
            problem = f"image of {width} x {height} pixels is empty"
            raise damaged(problem, path, code="io.dimensions")
        parts = parts_of(page, path)
        counts = tuple(page.databytecounts)
        if max(counts) > LARGEST:
            raise too_large(f"a part of {max(counts):,} bytes", path)
        return cls(height, width, page.is_tiled, parts, tuple(page.dataoffsets), counts)


def _levels(stored: list[_Stored], path: Path) -> tuple[Level, ...]:
    """Check that all levels show one image, each smaller than the one before."""
    first = stored[0]
    levels: list[Level] = []
    for each in stored:
        down, across = first.height / each.height, first.width / each.width
        scale = max(down, across)
        rounding = scale * (1 / each.height + 1 / each.width)
        smaller = not levels or each.width < levels[-1].width
        same = each.parts.channels == first.parts.channels
        if abs(down - across) > _UNEVEN * scale + rounding or not smaller or not same:
            problem = (
                f"level of {each.width:,} x {each.height:,} pixels is no smaller copy of the image"
                f" of {first.width:,} x {first.height:,}"
            )
            fix = "Write the pyramid again from the image, such as with libvips"
            raise InputError(problem, fix=fix, code="io.dimensions", path=path)
        levels.append(Level(each.height, each.width, scale))
    return tuple(levels)
