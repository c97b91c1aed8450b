"""From whole slides to a data set of tiles, and from labels of tiles back to one of the slide."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from samplar.errors import InputError, UsageError
from samplar.io.atomic import ensure_writable, make_folder, write_bytes
from samplar.io.formats import read_labels
from samplar.io.names import stem_of
from samplar.io.pyramid import Pyramid
from samplar.io.tiles import Tiling, tile_name, write_joined

_BRIGHT = 220
"""A pixel all of whose colours are at least this bright shows glass."""

_SUFFIXES = (".png", ".tif")

Told = Callable[[str, int, int], None]
"""Is told a slide's name, how many of its tiles are done, and how many there are."""


def _nobody(slide: str, done: int, total: int) -> None:
    """Tell nobody how far it is."""


def pair_labels(slides: Sequence[Path], folder: Path | None) -> dict[Path, Path | None]:
    """Return each slide with the file of its name in a folder of labels, None where there is none.

    Raises:
        InputError: `io.missing`, if there is a folder and no slide has labels in it.
    """
    if folder is None:
        return dict.fromkeys(slides)
    found = {stem_of(path): path for path in _files_in(folder)}
    pairs = {slide: found.get(stem_of(slide)) for slide in slides}
    if any(pairs.values()):
        return pairs
    raise InputError(
        f"holds labels of none of {len(slides)} slides",
        fix=f"Name them as the slides, such as {slides[0].name}",
        code="io.missing",
        path=folder,
    )


def cut_slides(
    slides: Mapping[Path, Path | None],
    out: Path,
    *,
    level: int = 0,
    side: int = 512,
    middle: int = 256,
    tissue: float = 0.05,
    told: Told = _nobody,
) -> int:
    """Write tiles of slides as a data set with `images/`, `labels/` and `index.csv`.

    Every slide is a subject of its own. Beyond a slide, tiles are white and labelled background.

    Args:
        slides: tiled TIFF files, each with the one that holds its labels, grey levels as values,
            on a level of the same size; or None.
        out: folder of the data set; made if absent.
        level: which resolution is cut, 0 being the finest.
        side: of a tile, in pixels.
        middle: side of the part that `join_tiles` keeps; a tile is cut every so many pixels.
        tissue: smallest share of the middle that is no glass; other tiles are left out.
        told: how far it is.

    Returns:
        How many tiles were written.

    Raises:
        InputError: those of `Pyramid`; `io.dimensions` for a level that is not there, and `io.grid`
            where labels have no level of the size of the image.
        UsageError: `config.tiles`, for two slides of one name, or sides that do not fit;
            `tiles.exists` for a folder that is not empty.
        OutputError: see `samplar.io.atomic`.
    """
    names = [stem_of(path) for path in slides]
    if len(set(names)) < len(names):
        raise UsageError(
            f"two of the slides have one name: {', '.join(sorted(names))}",
            fix="Rename one of them: tiles and subjects are called after the slide",
            code="config.tiles",
        )
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(
            "this folder is not empty",
            fix="Remove it, or choose another one with -o: tiles cut before would stay among these",
            code="tiles.exists",
            path=out,
        )
    for path, labels in slides.items():  # all of them, before anything is written
        _check(path, labels, level=level, side=side, middle=middle)
    for folder in ("images", "labels"):
        make_folder(out / folder)
        ensure_writable(out / folder)
    rows = [("file", "subject")]
    for (path, labels), name in zip(slides.items(), names, strict=True):
        with Pyramid(path) as slide:
            tiling = _tiling(slide, level, side, middle)
            cut = _Cut(slide, level, tiling, out / "images", name)
            every = _telling(list(tiling.corners()), name, told)
            corners = cut.write(255, every, smallest=tissue)
        rows += [(f"{tile_name(name, corner)}.png", name) for corner in corners]
        if labels is not None:
            with Pyramid(labels) as found:
                same = _level_of(found, tiling, path)
                _Cut(found, same, tiling, out / "labels", name).write(0, corners)
    table = io.StringIO(newline="")
    csv.writer(table).writerows(rows)
    write_bytes(out / "index.csv", table.getvalue().encode())
    return len(rows) - 1


def join_tiles(
    predicted: Path,
    slide: Path,
    out: Path,
    *,
    level: int = 0,
    side: int = 512,
    middle: int = 256,
    told: Told = _nobody,
) -> None:
    """Write the labels of a slide as one tiled TIFF, from those of its tiles.

    Args:
        predicted: folder with the labels that were predicted for tiles of `cut_slides`.
        slide: the slide.
        out: file to write; its folder must exist.
        level: as for `cut_slides`, as are the others.
        side: of a tile.
        middle: side of the part that is kept.
        told: how far it is.

    Raises:
        InputError: those of `Pyramid`; `io.missing` if there are no labels of its tiles, `io.grid`
            for labels of another size, or of tiles that lie where none was cut.
        OutputError: see `samplar.io.atomic`.
    """
    with Pyramid(slide) as opened:
        tiling = _tiling(opened, level, side, middle)

    name = stem_of(slide)
    tiles = _tiles_of(name, predicted, tiling)
    counting = _telling(list(tiling.corners()), name, told)

    def read(corner: tuple[int, int]) -> np.ndarray | None:
        next(counting, None)
        path = tiles.get(tile_name(name, corner))
        return None if path is None else _checked(read_labels(path).array[..., 0], side, path)

    write_joined(out, tiling, read)
    next(counting, None)


class _Cut:
    """The tiles of one level of one file, to be written into a folder."""

    def __init__(
        self, pyramid: Pyramid, level: int, tiling: Tiling, folder: Path, name: str
    ) -> None:
        self.pyramid, self.level, self.tiling = pyramid, level, tiling
        self.folder, self.name = folder, name

    def write(
        self, beyond: int, corners: Iterable[tuple[int, int]], *, smallest: float = 0.0
    ) -> list[tuple[int, int]]:
        """Write the tiles at these corners that show enough; return their corners."""
        written = []
        for corner in corners:
            side = self.tiling.side
            x, y = corner
            tile = self.pyramid.read(self.level, x=x, y=y, width=side, height=side, beyond=beyond)
            if smallest and self._shown(tile) < smallest:
                continue
            stream = io.BytesIO()
            Image.fromarray(tile[..., 0] if tile.shape[2] == 1 else tile).save(stream, "PNG")
            write_bytes(self.folder / f"{tile_name(self.name, corner)}.png", stream.getvalue())
            written.append(corner)
        return written

    def _shown(self, tile: np.ndarray) -> float:
        kept = slice(self.tiling.margin, self.tiling.margin + self.tiling.middle)
        return float((tile[kept, kept].min(axis=2) < _BRIGHT).mean())


def _telling(
    corners: Sequence[tuple[int, int]], name: str, told: Told
) -> Iterator[tuple[int, int]]:
    """Yield the corners, telling before each how many are done, and in the end that all are."""
    for done, corner in enumerate(corners):
        told(name, done, len(corners))
        yield corner
    told(name, len(corners), len(corners))


def _tiling(pyramid: Pyramid, level: int, side: int, middle: int) -> Tiling:
    if not 0 <= level < len(pyramid.levels):
        raise InputError(
            f"has {len(pyramid.levels)} resolutions, and number {level} is asked for",
            fix=f"Take a level from 0 to {len(pyramid.levels) - 1}",
            code="io.dimensions",
            path=pyramid.path,
        )
    chosen = pyramid.levels[level]
    return Tiling(chosen.height, chosen.width, side=side, middle=middle)


def _check(slide: Path, labels: Path | None, *, level: int, side: int, middle: int) -> None:
    with Pyramid(slide) as opened:
        tiling = _tiling(opened, level, side, middle)
    if labels is not None:
        with Pyramid(labels) as found:
            _level_of(found, tiling, slide)


def _level_of(labels: Pyramid, tiling: Tiling, slide: Path) -> int:
    """Return the resolution of the labels that has the size of the image."""
    for number, level in enumerate(labels.levels):
        if (level.height, level.width) == (tiling.height, tiling.width) and labels.channels == 1:
            return number
    sizes = ", ".join(f"{level.width} x {level.height}" for level in labels.levels)
    raise InputError(
        f"has {labels.channels} channels of {sizes} pixels; the level of {slide} that is cut has "
        f"{tiling.width} x {tiling.height}",
        fix="Save the labels as one grey channel at the size of that level, nearest neighbour",
        code="io.grid",
        path=labels.path,
    )


def _tiles_of(slide: str, folder: Path, tiling: Tiling) -> dict[str, Path]:
    """Return the files with labels of a slide's tiles by the name of the tile."""
    name = re.compile(re.escape(slide) + r"_x-?\d+_y-?\d+")
    files = [path for path in _files_in(folder) if path.suffix in _SUFFIXES]
    found = {path.stem: path for path in files if name.fullmatch(path.stem)}
    strange = set(found) - {tile_name(slide, corner) for corner in tiling.corners()}
    if found and not strange:
        return found
    raise InputError(
        f"{len(strange)} of {len(found)} tiles of {slide} lie where none was cut",
        fix="Give the folder with the labels of its tiles, and the level and sides it was cut with",
        code="io.grid" if found else "io.missing",
        path=folder,
    )


def _files_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(
            "is no folder",
            fix="Give the folder that holds the labels",
            code="io.missing",
            path=folder,
        )
    return sorted(path for path in folder.iterdir() if path.is_file())


def _checked(labels: np.ndarray, side: int, path: Path) -> np.ndarray:
    if labels.shape == (side, side) and labels.max(initial=0) < 256:
        return labels
    raise InputError(
        f"labels of {labels.shape[1]} x {labels.shape[0]} pixels up to {labels.max(initial=0)}, "
        f"expected {side} x {side} up to 255",
        fix="Give the sides the slide was cut with; a joined file has 8 bits",
        code="io.grid",
        path=path,
    )
