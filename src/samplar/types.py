"""Names for the arrays that pass between parts, with their shapes.

The axes: `n` slices or batch, `c` image channels, `k` classes without background, `h` rows,
`w` columns, `d` features, `x y z` the voxel axes of a volume in file order.
Only arrays are named here, so that this file never imports torch; code that handles tensors writes
their shapes in place. The test run executes the annotations.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Integer, Real

IGNORE = 255
"""Class index of a pixel that nobody labelled. Never trained on, never scored."""

VoxelImage = Real[np.ndarray, "c x y z"]
"""A volume as read: channels first, the file's own dtype and axis order."""

VoxelLabels = Integer[np.ndarray, "x y z"]
"""Class indices of a volume: 0 background, 1..k classes, `IGNORE` not labelled."""

SliceStack = Float32[np.ndarray, "n c h w"]
"""Slices of one volume, scaled to [0, 1]."""

SliceImage = Float32[np.ndarray, "3 h w"]
"""One slice as SAM sees it: three channels in [0, 1]."""

SliceLabels = Integer[np.ndarray, "h w"]
"""Class indices of one slice."""
