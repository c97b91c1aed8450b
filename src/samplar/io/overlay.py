"""Class outlines and contact sheets, in colours that colour-blind readers can tell apart."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from samplar.types import IGNORE

PALETTE: tuple[tuple[int, int, int], ...] = (
    (230, 159, 0),  # the first seven: Okabe and Ito 2008, without black
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
    (105, 75, 255),  # the rest: farthest from all before, also to deuteranopes and protanopes
    (150, 255, 165),
    (165, 255, 255),
    (105, 135, 255),
    (210, 30, 60),
)
"""Colour of class 1, 2, ...; they repeat after the last."""

_IGNORED = (150, 150, 150)
_PAPER = (24, 26, 30)
_INK = (226, 228, 232)
_GAP = 10
_FONT_PIXELS = 14
_LINE = 20


def colour_of(index: int) -> tuple[int, int, int]:
    """Return the colour of a class index (1..k), grey for pixels that are not labelled."""
    return _IGNORED if index == IGNORE else PALETTE[(index - 1) % len(PALETTE)]


def outline(image: np.ndarray, labels: np.ndarray, *, width: int = 1, scale: int = 1) -> np.ndarray:
    """Draw the outline of each class, inside the class, onto a slice.

    Args:
        image: (h, w) or (h, w, 3) in [0, 1].
        labels: (h, w) class indices.
        width: of the line, in pixels of the result.
        scale: whole factor to enlarge the slice by first, so that small slices get fine lines.

    Returns:
        (h * scale, w * scale, 3) uint8.
    """
    canvas = _enlarged(_as_rgb(image), scale)
    large = labels.repeat(scale, axis=0).repeat(scale, axis=1)
    line = _edges(large, width)
    for index in np.unique(large[line]):
        canvas[line & (large == index)] = colour_of(int(index))
    return canvas


def _as_rgb(image: np.ndarray) -> np.ndarray:
    grey = np.clip(np.rint(np.asarray(image, dtype=np.float64) * 255), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2) if grey.ndim == 2 else grey.copy()


def _enlarged(rgb: np.ndarray, scale: int) -> np.ndarray:
    if scale == 1:
        return rgb
    size = (rgb.shape[1] * scale, rgb.shape[0] * scale)
    return np.array(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))


def _edges(labels: np.ndarray, width: int) -> np.ndarray:
    """Return where a labelled pixel has another class within `width` steps up, down or sideways."""
    edge = np.zeros(labels.shape, dtype=bool)
    for step in range(1, width + 1):
        near = slice(None, -step), slice(step, None)
        down = labels[near[0]] != labels[near[1]]
        right = labels[:, near[0]] != labels[:, near[1]]
        edge[near[0]] |= down
        edge[near[1]] |= down
        edge[:, near[0]] |= right
        edge[:, near[1]] |= right
    return edge & (labels != 0)


def contact_sheet(
    tiles: Sequence[np.ndarray],
    captions: Sequence[str],
    *,
    columns: int,
    legend: Sequence[str] = (),
) -> np.ndarray:
    """Lay out tiles in rows, a caption under each, and name the class colours at the foot.

    Args:
        tiles: (h, w, 3) uint8 each, of any sizes; none is scaled.
        captions: one for each tile, cut to the tile's width.
        columns: tiles in a row.
        legend: names of class 1, 2, ...; no legend if empty.

    Returns:
        (H, W, 3) uint8.
    """
    columns = max(1, min(columns, len(tiles)))
    cell = max((tile.shape[1] for tile in tiles), default=0)
    width = columns * (cell + _GAP) + _GAP
    tops = _row_tops([tile.shape[0] for tile in tiles], columns)
    entries = _placed_legend(legend, width)
    foot = entries[-1][1] + _LINE + _GAP if entries else 0
    height = tops[-1]
    sheet = Image.new("RGB", (width, height + foot), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, (tile, caption) in enumerate(zip(tiles, captions, strict=True)):
        row, column = divmod(number, columns)
        x = _GAP + column * (cell + _GAP)
        sheet.paste(Image.fromarray(tile), (x, tops[row]))
        under = tops[row + 1] - _GAP - _LINE + 3
        draw.text((x, under), _fitted(caption, cell), fill=_INK, font=_font())
    for index, (x, y, name) in enumerate(entries, start=1):
        box = (x, height + y + 3, x + 12, height + y + 15)
        draw.rectangle(box, fill=colour_of(index))
        draw.text((x + 18, height + y), name, fill=_INK, font=_font())
    return np.asarray(sheet)


def _row_tops(heights: Sequence[int], columns: int) -> list[int]:
    """Return where each row of tiles begins, and last where the tiles end."""
    tops = [_GAP]
    for start in range(0, len(heights), columns):
        tops.append(tops[-1] + max(heights[start : start + columns]) + _LINE + _GAP)
    return tops


def _placed_legend(names: Sequence[str], width: int) -> list[tuple[int, int, str]]:
    """Return (x, y, text) of each legend entry, flowing from left to right in lines."""
    entries = []
    x, y = _GAP, 0
    for name in names:
        text = _fitted(name, width - 2 * _GAP - 18)
        step = 18 + math.ceil(_font().getlength(text)) + 2 * _GAP
        if x > _GAP and x + step - _GAP > width:
            x, y = _GAP, y + _LINE
        entries.append((x, y, text))
        x += step
    return entries


def _fitted(text: str, width: int) -> str:
    """Return the text on one line, its end replaced by dots if it is wider than `width` pixels."""
    line = " ".join(text.split())
    font = _font()
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "...") > width:
        line = line[:-1]
    return line + "..." if line else ""


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_FONT_PIXELS)


def png_bytes(array: np.ndarray) -> bytes:
    """Return an (h, w) or (h, w, 3) uint8 image as a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()
