from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from samplar.io.overlay import colour_of
from samplar.report.figures import (
    LONGEST,
    display_size,
    outlined_png,
    overview_png,
    progress_png,
    slice_picture,
)
from samplar.report.slices import Pick, SliceScore
from samplar.report.training_log import TrainingRow


def opened(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def holds(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(axis=2).any())


def test_slices_keep_their_true_proportions():
    assert display_size((100, 100), (1.0, 1.0)) == (LONGEST, LONGEST)
    assert display_size((20, 100), (5.0, 0.5)) == (LONGEST, LONGEST // 2)
    assert display_size((1, 5000), (1.0, 1.0)) == (1, LONGEST)


@pytest.mark.parametrize("shape", [(30, 40), (30, 40, 3)])
def test_a_picked_slice_is_drawn_three_times(shape):
    truth, prediction = np.zeros((2, 30, 40), np.uint8)
    truth[5:20, 5:20], prediction[10:25, 10:30] = 1, 2
    pick = Pick("worst", SliceScore("a_ct", "a", 3, 12.5, 9))

    picture = slice_picture(
        pick, image=np.full(shape, 0.5, np.float32), truth=truth, prediction=prediction
    )

    image, true, predicted = map(opened, (picture.image, picture.truth, picture.prediction))
    assert image.shape == true.shape == predicted.shape == (336, LONGEST, 3)
    assert not holds(image, colour_of(1))
    assert holds(true, colour_of(1))
    assert not holds(true, colour_of(2))
    assert holds(predicted, colour_of(2))
    assert (picture.rank, picture.case, picture.slice, picture.dsc) == ("worst", "a_ct", 3, 12.5)


def test_the_outline_lies_where_the_label_is():
    labels = np.zeros((56, 56), np.uint8)
    labels[14:28, 28:42] = 1

    drawn = opened(outlined_png(np.zeros((56, 56)), labels))

    rows, columns = np.nonzero((drawn == colour_of(1)).all(axis=2))
    scale = LONGEST // 56
    assert (rows.min(), rows.max() + 1) == (14 * scale, 28 * scale)
    assert (columns.min(), columns.max() + 1) == (28 * scale, 42 * scale)


def test_progress_is_drawn_and_shows_the_loss():
    rows = [TrainingRow(step=i, loss=1.0 / i, lr=1e-3, seconds=float(i)) for i in range(1, 50)]

    picture, empty = opened(progress_png(rows)), opened(progress_png([]))

    assert picture.shape == empty.shape == (550, 880, 3)
    assert (picture != empty).any(axis=2).sum() > 1000


def test_progress_leaves_out_what_is_not_finite():
    rows = [TrainingRow(step=i, loss=1.0, lr=1e-3, seconds=1.0) for i in (1, 2)]
    broken = TrainingRow(step=2, loss=float("nan"), lr=1e-3, seconds=1.0)

    assert progress_png([rows[0], broken, rows[1]]) == progress_png(rows)


def test_an_overview_shows_three_pictures_a_slice_under_each_other():
    truth, prediction = np.zeros((2, 30, 40), np.uint8)
    truth[5:20, 5:20], prediction[10:25, 10:30] = 1, 2
    shown = [
        slice_picture(
            Pick(rank, SliceScore("a_ct", "a", 3, 12.5, 9)),
            image=np.full((30, 40), 0.5),
            truth=truth,
            prediction=prediction,
        )
        for rank in ("best", "median")
    ]
    one, two = (opened(overview_png(shown[:n], ["left", "right"])) for n in (1, 2))
    assert one.shape[1] == two.shape[1] > 3 * LONGEST
    assert two.shape[0] - one.shape[0] > display_size((30, 40), (1.0, 1.0))[0]
    assert holds(one, colour_of(1))
    assert holds(one, colour_of(2))
