from __future__ import annotations

import numpy as np
import pytest

from samplar.io.areas import areas_per_slice


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_areas_are_counted_slice_by_slice_and_255_is_left_out(axis):
    indices = np.random.default_rng(0).choice([0, 1, 2, 3, 255], (3, 4, 5)).astype(np.uint8)
    indices[0] = 0  # and where no slice has an index, its column is there all the same
    areas = areas_per_slice(indices, axis, 3)
    assert areas.shape == (indices.shape[axis], 4)
    for number, row in enumerate(areas):
        one = np.take(indices, number, axis)
        assert row.tolist() == [int((one == index).sum()) for index in range(4)]
