from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax

from samplar.evaluation.calibration import reach_of
from samplar.evaluation.trust import Calibration
from samplar.prediction.temperatures import Temperatures, near_found


@pytest.mark.parametrize("shape", [(100, 40), (40, 100), (30, 30)])
def test_near_is_a_square_around_each_pixel_that_was_given_a_class(shape):
    found = torch.zeros(2, *shape, dtype=torch.bool)
    found[0, 0, 3] = found[0, 20, 10] = True
    rows, columns = np.indices(shape)
    reach = reach_of(*shape)
    squares = [
        np.maximum(abs(rows - row), abs(columns - column)) <= reach
        for row, column in ((0, 3), (20, 10))
    ]
    assert np.array_equal(near_found(found)[0], squares[0] | squares[1])
    assert not near_found(found)[1].any()


def test_each_pixel_has_the_temperature_of_where_it_lies():
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 5
    close = torch.zeros(2, 4, 5, dtype=torch.bool)
    close[0, :2] = True
    found = Temperatures(4.0, 0.5).probabilities(logits, close).numpy()
    exact = logits.numpy().astype(np.float64)
    hot, cold = softmax(exact / 4, axis=1), softmax(exact / 0.5, axis=1)
    np.testing.assert_allclose(found, np.where(close[:, None], hot, cold), atol=1e-6)
    assert np.array_equal(found.argmax(1), exact.argmax(1))


def test_large_logits_do_not_overflow():
    logits = torch.tensor([1000.0, 999.0, -1000.0])[None, :, None, None]
    for close, expected in (
        (False, [0.7310586, 0.2689414, 0]),
        (True, [0.6224593, 0.3775407, 0]),
    ):
        found = Temperatures(2.0, 1.0).probabilities(logits, torch.tensor([[[close]]]))
        assert found.ravel().tolist() == pytest.approx(expected)


def test_one_temperature_is_for_all_pixels_unless_there_is_another_for_those_far_away():
    assert Temperatures.of(Calibration(temperature=3.0)) == Temperatures(3.0, 3.0)
    assert Temperatures.of(Calibration(temperature=3.0, far=0.4)) == Temperatures(3.0, 0.4)
