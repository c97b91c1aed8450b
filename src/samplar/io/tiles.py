"""Where the tiles of a large image lie, and a large label image put together from theirs.

Tiles overlap: each is segmented with its surroundings, and only its middle is kept. The middles
cover the image without a gap and without meeting twice. Where tiles reach beyond the image they
are white.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from samplar.errors import InputError, OutputError, UsageError
from samplar.io.atomic import write_with
from samplar.io.pyramid import Pyramid

_GRAIN = 16
"""A TIFF's tiles have sides of multiples of this."""


Read = Callable[[tuple[int, int]], np.ndarray | None]
"""Returns the labels (side, side) of the tile at a corner, or None where there is no tile."""


@dataclass(frozen=True)
class Tiling:
    """How an image is cut.

    Args:
        height: of the image, in pixels of the level that is cut.
        width: of it.
        side: of a tile.
        middle: side of the part of it that is kept, at most `side`.

    Raises:
        UsageError: `config.tiles`, for sides that do not fit each other.
    """

    height: int
    width: int
    side: int = 512
    middle: int = 256

    def __post_init__(self) -> None:
        fits = 0 < self.middle <= self.side and (self.side - self.middle) % 2 == 0
        if self.middle % _GRAIN or not fits:
            raise UsageError(
                f"tiles of {self.side} with a middle of {self.middle} pixels do not fit",
                fix=f"Take a middle that is a multiple of {_GRAIN} and an even number smaller than "
                "the side, or the side itself",
                code="config.tiles",
            )

    @property
    def margin(self) -> int:
        """Pixels around the middle of a tile."""
        return (self.side - self.middle) // 2

    def kept(self, tile: np.ndarray | None, corner: tuple[int, int]) -> np.ndarray:
        """Return the middle of a tile (side, side), 0 beyond the image and if there is no tile."""
        out = np.zeros((self.middle, self.middle), dtype=np.uint8)
        if tile is not None:
            rows = min(self.middle, self.height - corner[1] - self.margin)
            columns = min(self.middle, self.width - corner[0] - self.margin)
            start = self.margin
            out[:rows, :columns] = tile[start : start + rows, start : start + columns]
        return out

    def corners(self) -> Iterator[tuple[int, int]]:
        """Yield the upper left corner (x, y) of every tile, line by line."""
        for top in range(0, self.height, self.middle):
            for left in range(0, self.width, self.middle):
                yield left - self.margin, top - self.margin


def tile_name(slide: str, corner: tuple[int, int]) -> str:
    """Return the name of a tile, without suffix."""
    return f"{slide}_x{corner[0]}_y{corner[1]}"


def write_joined(path: Path, tiling: Tiling, read: Read) -> None:
    """Write a tiled TIFF of labels, 8 bits and deflate, from the middles of tiles.

    Args:
        path: of the file; its folder must exist.
        tiling: how the image was cut.
        read: returns the labels (side, side) of the tile at a corner, or None where there is no
            tile, which counts as background. Called once for each corner, in order, so that one
            tile is in memory at a time.

    Raises:
        InputError: what `read` raises.
        OutputError: see `samplar.io.atomic.write_with`.
    """
    joining = _Joining(tiling, read)
    try:
        write_with(path, joining.write, joining.verify)
    except OutputError as error:
        if joining.refused is not None:
            raise joining.refused from error
        raise


class _Joining:
    """A file of labels while it is written: the sum of each middle, and what was refused."""

    def __init__(self, tiling: Tiling, read: Read) -> None:
        self.tiling, self.read = tiling, read
        self.sums: list[int] = []
        self.refused: InputError | None = None  # which the writer would take for its own failure

    def write(self, target: Path) -> None:
        """Write the file, tile by tile."""
        height, width, side = self.tiling.height, self.tiling.width, self.tiling.middle
        tifffile.imwrite(
            target,
            self._middles(),
            shape=(height, width),
            dtype=np.uint8,
            tile=(side, side),
            compression="zlib",
            photometric="minisblack",
            bigtiff=height * width > 1 << 31,
        )

    def verify(self, written: Path) -> None:
        """Read every tile back and compare its sum."""
        side, margin = self.tiling.middle, self.tiling.margin
        with Pyramid(written) as opened:
            for expected, corner in zip(self.sums, self.tiling.corners(), strict=True):
                x, y = (place + margin for place in corner)
                found = opened.read(0, x=x, y=y, width=side, height=side, beyond=0)
                if zlib.crc32(found.tobytes()) != expected:
                    raise ValueError(f"the labels at {x}, {y} differ")

    def _middles(self) -> Iterator[np.ndarray]:
        for corner in self.tiling.corners():
            try:
                tile = self.read(corner)
            except InputError as error:
                self.refused = error
                raise
            middle = self.tiling.kept(tile, corner)
            self.sums.append(zlib.crc32(middle.tobytes()))
            yield middle
