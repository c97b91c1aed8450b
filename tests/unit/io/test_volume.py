from __future__ import annotations

from pathlib import Path

import numpy as np

from samplar.io.affine import Affine
from samplar.io.volume import LabelVolume, Volume


def test_shape_and_spacing_follow_the_voxel_axes():
    volume = Volume(np.zeros((2, 3, 4, 5)), Affine(np.diag([1, 2, 3, 1])), "mm", (Path("a"),))
    assert volume.shape == (3, 4, 5)
    assert volume.spacing == (1, 2, 3)
    labels = LabelVolume(np.zeros((3, 4, 5), int), volume.affine, "mm", Path("b"))
    assert labels.shape == volume.shape
    assert labels.spacing == volume.spacing


def test_only_a_plain_image_is_a_raster():
    array = np.zeros((1, 3, 4, 1))
    for affine, unit, expected in (
        (Affine.pixels(), "px", True),
        (Affine.pixels(), "mm", False),
        (Affine(np.eye(4)), "px", False),
    ):
        assert Volume(array, affine, unit, ()).is_raster is expected
        assert LabelVolume(array[0].astype(int), affine, unit, Path("b")).is_raster is expected
