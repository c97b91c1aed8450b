"""Our families of synthetic images, as a user of another library would put them together.

The recipe draws the family, the background and the organs with our chances. A kit brings the other
library's own transforms: one for a cut-out, one for a softened mask, one for the finished image.
Backgrounds without organs are given to all contestants: they are made once, before the first image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from samplar.config.synthesis import SynthesisConfig
from samplar.synthesis.background import paint_out
from samplar.synthesis.samples import Samples

Pair = tuple[Tensor, Tensor]
"""A (1, s, s) float32 image and its (1, s, s) uint8 labels."""


class Kit(Protocol):
    """What another library does; each call makes its own random choices."""

    def group(self, pair: Pair) -> Pair:
        """Move, bend and re-tone the organs as one."""

    def organ(self, pair: Pair) -> Pair:
        """Move, bend and re-tone one organ."""

    def soft(self, mask: Tensor) -> Tensor:
        """Blur a (1, s, s) float32 mask."""

    def finish(self, pair: Pair) -> Pair:
        """Move, bend and re-tone a finished image."""


@dataclass(frozen=True)
class Recipe:
    """Draws images with a kit.

    Args:
        whole: the exemplars; a grey image has one channel, ours works on one as well.
        cleaned: the exemplars with their organs painted out.
        config: our chances.
        random: of the choices that are not the kit's.
    """

    whole: Sequence[Pair]
    cleaned: Sequence[Pair]
    config: SynthesisConfig
    random: np.random.Generator

    def batch(self, kit: Kit, count: int) -> Samples:
        """Return images of each exemplar in turn, as large and of the same types as ours."""
        pairs = [self.sample(n % len(self.whole), kit) for n in range(count)]
        images = torch.stack([image for image, _ in pairs]).expand(-1, 3, -1, -1).contiguous()
        labels = torch.cat([labels for _, labels in pairs])
        return Samples(images, labels, torch.ones_like(labels, dtype=torch.bool))

    def sample(self, index: int, kit: Kit) -> Pair:
        """Return one image that starts from this exemplar."""
        family = self._one_of(dict(self.config.mix))
        if family == "exemplar":
            return self.whole[index]
        if family == "whole":
            return kit.finish(self.whole[index])
        canvas = self._background(index)
        for classes in self._parts(index, family):
            source, labels = self.whole[index]
            cut = (source, labels * torch.isin(labels, classes))
            moved = kit.group(cut) if family == "group" else kit.organ(cut)
            canvas = pasted(canvas, moved, kit)
        return kit.finish(canvas)

    def _one_of(self, weights: dict[str, float]) -> str:
        shares = np.array(list(weights.values()))
        return str(self.random.choice(list(weights), p=shares / shares.sum()))

    def _background(self, index: int) -> Pair:
        policy = self._one_of(dict(self.config.backgrounds))
        others = [n for n in range(len(self.whole)) if n != index]
        scene = index if policy == "own" else int(self.random.choice(others))
        return (self.whole if policy == "cross" else self.cleaned)[scene]

    def _parts(self, index: int, family: str) -> list[Tensor]:
        present = self.whole[index][1].unique()[1:]
        if family == "group":
            return [present]
        chance = self.config.class_probability
        chosen = [k for k in present if self.random.random() < chance]
        return [k[None] for k in chosen or [present[0]]]


def recipe(samples: Samples, config: SynthesisConfig) -> Recipe:
    """Return the recipe for some grey exemplars without padding."""
    whole, cleaned = [], []
    for index, (image, labels, valid) in enumerate(
        zip(samples.images[:, :1], samples.labels, samples.valid, strict=True)
    ):
        clean, empty = paint_out(image, labels, valid, seed=index)
        whole.append((image.contiguous(), labels[None]))
        cleaned.append((clean, empty[None]))
    return Recipe(whole, cleaned, config, np.random.default_rng(0))


def pasted(canvas: Pair, cut: Pair, kit: Kit) -> Pair:
    """Blend a cut-out into a canvas by its softened mask."""
    mask = cut[1] > 0
    share = kit.soft(mask.float())
    image = share * cut[0] + (1 - share) * canvas[0]
    return image, torch.where(mask, cut[1], canvas[1])
