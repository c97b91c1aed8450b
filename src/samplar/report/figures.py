"""The pictures of a run as PNG files: the training curve, and slices with outlines."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from jaxtyping import Integer, Real
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from samplar.io.overlay import contact_sheet, outline, png_bytes
from samplar.report.data import SlicePicture
from samplar.report.slices import Pick
from samplar.report.training_log import TrainingRow, finite, smoothed

LONGEST = 448
LINE_WIDTH = 2
_BLUE = "#1f6f8b"


def progress_png(rows: Sequence[TrainingRow]) -> bytes:
    """Draw loss and learning rate over iterations; rows that are not finite are left out."""
    drawn = finite(rows)
    figure = Figure(figsize=(8, 5), dpi=110, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    steps = [row.step for row in drawn]
    losses = [row.loss for row in drawn]
    above.plot(steps, losses, color=_BLUE, alpha=0.3, linewidth=0.8, label="each iteration")
    above.plot(steps, smoothed(losses), color=_BLUE, linewidth=1.8, label="running mean")
    above.set_ylabel("loss")
    above.legend(frameon=False)
    below.plot(steps, [row.lr for row in drawn], color=_BLUE, linewidth=1.5)
    below.set_ylabel("learning rate")
    below.set_xlabel("iteration")
    for axes in (above, below):
        _quieten(axes)
    if rows:
        above.set_title(f"iteration {rows[-1].step}, {rows[-1].seconds:.0f} s", loc="left")
    stream = BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _quieten(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.set_ylim(bottom=0)


def slice_picture(
    pick: Pick,
    *,
    image: Real[np.ndarray, "h w *rgb"],
    truth: Integer[np.ndarray, "h w"],
    prediction: Integer[np.ndarray, "h w"],
    pixel_spacing: tuple[float, float] = (1.0, 1.0),
    longest: int = LONGEST,
) -> SlicePicture:
    """Draw one picked slice three times: as it is, with the truth, with the prediction.

    Args:
        pick: which slice it is, and its score.
        image: (h, w) or (h, w, 3) in [0, 1].
        truth: class indices.
        prediction: class indices.
        pixel_spacing: row and column size, so that pixels that are not square look right.
        longest: side of the pictures in pixels.
    """
    size = display_size(truth.shape, pixel_spacing, longest=longest)
    shown = _resized_image(image, size)
    blank = np.zeros(shown.shape[:2], dtype=np.uint8)
    plain, true, predicted = (
        png_bytes(outline(shown, labels, width=LINE_WIDTH))
        for labels in (blank, _resized_labels(truth, size), _resized_labels(prediction, size))
    )
    score = pick.score
    return SlicePicture(
        rank=pick.rank,
        case=score.case,
        subject=score.subject,
        slice=score.slice,
        dsc=score.dsc,
        image=plain,
        truth=true,
        prediction=predicted,
    )


def overview_png(slices: Sequence[SlicePicture], names: Sequence[str]) -> bytes:
    """Put slices below each other as one PNG: the image, the truth, the prediction.

    Args:
        slices: at least one.
        names: of the classes, for the legend.
    """
    tiles, captions = [], []
    for shown in slices:
        where = f"{shown.rank}, slice {shown.slice}"
        for title, png in (
            (where, shown.image),
            ("truth", shown.truth),
            (f"DSC {shown.dsc:.1f}, prediction", shown.prediction),
        ):
            tiles.append(np.asarray(Image.open(BytesIO(png)).convert("RGB")))
            captions.append(title)
    return png_bytes(contact_sheet(tiles, captions, columns=3, legend=names))


def outlined_png(
    image: Real[np.ndarray, "h w *rgb"],
    labels: Integer[np.ndarray, "h w"],
    *,
    pixel_spacing: tuple[float, float] = (1.0, 1.0),
) -> bytes:
    """Draw a slice, (h, w) or (h, w, 3) in [0, 1], with the outlines of its labels."""
    size = display_size(labels.shape, pixel_spacing)
    shown = _resized_image(image, size)
    return png_bytes(outline(shown, _resized_labels(labels, size), width=LINE_WIDTH))


def display_size(
    shape: Sequence[int], pixel_spacing: tuple[float, float], *, longest: int = LONGEST
) -> tuple[int, int]:
    """Return the rows and columns to show a slice in: its true proportions, longest side fixed."""
    rows, columns = (length * step for length, step in zip(shape, pixel_spacing, strict=True))
    scale = longest / max(rows, columns)
    return max(1, round(rows * scale)), max(1, round(columns * scale))


def _resized_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows, columns = size
    grey = np.asarray(image, dtype=np.float32)
    channels = np.moveaxis(grey if grey.ndim == 3 else grey[..., None], -1, 0)
    resized = [
        np.asarray(Image.fromarray(channel).resize((columns, rows), Image.Resampling.BICUBIC))
        for channel in np.ascontiguousarray(channels)
    ]
    return np.clip(resized[0] if len(resized) == 1 else np.stack(resized, axis=-1), 0, 1)


def _resized_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows, columns = size
    picture = Image.fromarray(labels.astype(np.uint8))
    return np.asarray(picture.resize((columns, rows), Image.Resampling.NEAREST))
