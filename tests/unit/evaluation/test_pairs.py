from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from samplar.evaluation.pairs import class_pairs
from samplar.evaluation.surface import surface_distances


@pytest.mark.parametrize("seed", range(6))
def test_cropping_does_not_change_the_distances(blob, seed):
    """Also where structures touch the edge, and where a part is unlabelled."""
    prediction, truth = blob(seed, share=0.1), blob(seed + 20, share=0.1)
    labelled = ~blob(seed + 40, share=0.2)
    truth, prediction = truth & labelled, prediction & labelled
    spacing = (0.7, 1.3, 2.9)

    (pair,) = class_pairs(prediction.astype(np.uint8), truth.astype(np.uint8), labelled, classes=1)
    cropped = pair.distances(spacing)
    whole = surface_distances(prediction, truth, spacing=spacing, labelled=labelled)

    np.testing.assert_allclose(np.sort(cropped.to_truth), np.sort(whole.to_truth))
    np.testing.assert_allclose(np.sort(cropped.to_prediction), np.sort(whole.to_prediction))


def test_boxes_hold_both_masks_with_a_rim_that_ends_at_the_image(cube):
    truth = cube((0, 4, 4), (2, 6, 6)).astype(np.uint8)
    prediction = 2 * cube((8, 8, 8), (10, 10, 10)).astype(np.uint8)
    prediction[5, 5, 5] = 1

    first, second, third = class_pairs(prediction, truth, np.ones(truth.shape, bool), classes=3)

    assert first.truth.shape == (7, 4, 4)
    assert second.truth.shape == (3, 3, 3)
    assert third.truth.size == 0
    assert [pair.status for pair in (first, second, third)] == [
        "scored",
        "false-positive",
        "both-empty",
    ]


def test_unlabelled_voxels_leave_both_masks(cube):
    truth = cube((2, 2, 2), (6, 6, 6)).astype(np.uint8)
    labelled = np.ones(truth.shape, bool)
    labelled[:4] = False

    (pair,) = class_pairs(truth, truth, labelled, classes=1)

    assert (pair.overlap.true, pair.overlap.predicted, pair.overlap.shared) == (32, 32, 32)


def test_a_pair_cannot_be_changed(cube):
    truth = cube((2, 2, 2), (6, 6, 6)).astype(np.uint8)
    (pair,) = class_pairs(truth, truth, np.ones(truth.shape, bool), classes=1)
    with pytest.raises(FrozenInstanceError):
        pair.labelled = None
