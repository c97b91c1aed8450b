"""Synthetic images at two scales: of the exemplars whole, and of close-ups of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from samplar.synthesis.draw import Draw
from samplar.synthesis.samples import Samples
from samplar.synthesis.synthesizer import Synthesizer


@runtime_checkable
class Renderer(Protocol):
    """Whatever makes the images of draws."""

    def render(self, draws: Sequence[Draw]) -> Samples:
        """Make the images, in the order of the draws."""
        ...


@dataclass(frozen=True)
class Scales:
    """Two synthesizers; a draw says which of them it is for.

    Nothing is pasted from one scale into the other. Exemplar n is the same slice in both.
    """

    whole: Synthesizer
    close: Synthesizer

    def render(self, draws: Sequence[Draw]) -> Samples:
        """Make the images, in the order of the draws."""
        order = [n for close in (False, True) for n, d in enumerate(draws) if d.roi == close]
        parts = [
            synthesizer.render(some)
            for close, synthesizer in ((False, self.whole), (True, self.close))
            if (some := [d for d in draws if d.roi == close])
        ]
        back = torch.tensor(order).argsort()
        images, labels, valid = (
            torch.cat(tensors)[back]
            for tensors in zip(*((p.images, p.labels, p.valid) for p in parts), strict=True)
        )
        return Samples(images, labels, valid)
