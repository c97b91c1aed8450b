"""What the pool is to show: which images are made from which exemplars, at one scale or at two."""

from __future__ import annotations

import torch

from samplar.config.fit import FitConfig
from samplar.synthesis.draw import Draw
from samplar.synthesis.samples import Samples
from samplar.synthesis.scales import Renderer, Scales
from samplar.synthesis.synthesizer import Synthesizer
from samplar.training.sampler import balanced_indices
from samplar.training.seed import generator


def draw_pool(
    samples: Samples, close: Samples | None, *, classes: int, config: FitConfig
) -> tuple[Renderer, list[Draw]]:
    """Draw all images of the pool, and return what renders them.

    Args:
        samples: the exemplars.
        close: close-ups of the same exemplars in the same order; half of the images are then made
            from them, or where there is no synthesis, as many again.
        classes: number of foreground classes.
        config: of the fit.
    """
    count = pool_size(config, len(samples))

    def drawn(synthesizer: Synthesizer, shown: Samples, number: int, purpose: str) -> list[Draw]:
        chance = generator(config.seed, purpose)
        return synthesizer.draw(starting_exemplars(shown, classes, config, number, chance), chance)

    whole = Synthesizer(samples, classes=classes, config=config.synthesis)
    if close is None:
        return whole, drawn(whole, samples, count, "synthesis")
    fewer = count if config.synthesis.factor == 0 else count // 2
    closer = Synthesizer(close, classes=classes, config=config.synthesis)
    first = drawn(whole, samples, max(fewer, count - fewer), "synthesis")
    second = drawn(closer, close, fewer, "synthesis of close-ups")
    return Scales(whole, closer), first + [d.model_copy(update={"roi": True}) for d in second]


def starting_exemplars(
    samples: Samples, classes: int, config: FitConfig, count: int, chance: torch.Generator
) -> list[int]:
    """Return the exemplar that each of `count` images starts from.

    They take turns, each once without synthesis; guided synthesis lets classes take turns as well.
    """
    if config.synthesis.factor == 0 or config.synthesis.recipe == "samed":
        return [number % len(samples) for number in range(count)]
    return balanced_indices(samples.labels, classes, count, chance)


def pool_size(config: FitConfig, exemplars: int) -> int:
    """Return how many images the pool holds: without synthesis every exemplar is there once."""
    return exemplars if config.synthesis.factor == 0 else config.training.pool
