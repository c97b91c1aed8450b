"""How volumes become slices in [0, 1]: fixed at fit time, kept in the adapter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from samplar.io.channels import SAM_CHANNELS, to_three
from samplar.io.intensity import IntensityRule
from samplar.io.slicing import Plane, slicing_of
from samplar.io.volume import Volume


@dataclass(frozen=True)
class View:
    """The slicing plane, the rule for grey values, and which channels become SAM's three.

    Args:
        plane: the slicing plane.
        rule: grey values to [0, 1], applied to the whole volume.
        channels: channel numbers from 0; None: the stated rule of `to_three`.
    """

    plane: Plane
    rule: IntensityRule
    channels: tuple[int, ...] | None

    def slices(self, image: Volume) -> Float32[np.ndarray, "n c h w"]:
        """Return the slices of a volume with one to three channels, scaled.

        One channel stays one, so that a grey volume is not held three times; `three_channels`
        completes a batch of slices.
        """
        scaled = self.rule.apply(image.array)
        if self.channels is not None or len(scaled) > SAM_CHANNELS:
            scaled = to_three(scaled, self.channels)
        return slicing_of(image, self.plane).cut(scaled)


def three_channels(slices: Float32[np.ndarray, "n c h w"]) -> Float32[np.ndarray, "n 3 h w"]:
    """Bring slices of one to three channels to SAM's three, by the rule of `to_three`."""
    return np.ascontiguousarray(np.moveaxis(to_three(np.moveaxis(slices, 1, 0)), 0, 1))
