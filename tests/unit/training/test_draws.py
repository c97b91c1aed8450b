from __future__ import annotations

import pytest
import torch

from samplar.config.fit import FitConfig
from samplar.synthesis.scales import Scales
from samplar.synthesis.synthesizer import Synthesizer
from samplar.training.draws import draw_pool


def settings(**training):
    return FitConfig(dataset="d", seed=3, training=training)


def test_half_of_the_pool_is_made_from_close_ups(phantoms):
    samples, close = phantoms(3, seed=0), phantoms(3, seed=1)
    renderer, draws = draw_pool(samples, close, classes=2, config=settings(pool=9))
    assert isinstance(renderer, Scales)
    assert [d.roi for d in draws] == [False] * 5 + [True] * 4
    only, others = draw_pool(samples, None, classes=2, config=settings(pool=5))
    assert isinstance(only, Synthesizer)
    assert others == draws[:5]
    assert torch.equal(renderer.render(draws).images[:5], only.render(others).images)
    seeds = [d.warp.affine.rotation for d in draws]
    assert len(set(seeds)) > 5  # the close-ups are not the same draws again


@pytest.mark.parametrize("close", [False, True])
def test_without_synthesis_every_exemplar_is_there_once_at_each_scale(phantoms, close):
    config = FitConfig(dataset="d", synthesis={"strength": "off"})
    more = phantoms(3, seed=1) if close else None
    draws = draw_pool(phantoms(3), more, classes=2, config=config)[1]
    assert [(d.exemplar, d.roi) for d in draws] == [
        (n, roi) for roi in (False, True)[: 1 + close] for n in range(3)
    ]
