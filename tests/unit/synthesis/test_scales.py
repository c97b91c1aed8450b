from __future__ import annotations

import torch

from samplar.config.synthesis import SynthesisConfig
from samplar.synthesis.draw import Draw
from samplar.synthesis.scales import Renderer, Scales
from samplar.synthesis.synthesizer import Synthesizer


def test_each_draw_is_rendered_at_its_scale_and_in_its_place(phantoms):
    whole, close = (
        Synthesizer(phantoms(2, seed=seed), classes=2, config=SynthesisConfig()) for seed in (0, 1)
    )
    scales = Scales(whole, close)
    assert isinstance(scales, Renderer)
    draws = [Draw(exemplar=n, roi=roi) for n, roi in [(1, True), (0, False), (0, True), (1, False)]]
    made = scales.render(draws)
    for number, draw in enumerate(draws):
        alone = (close if draw.roi else whole).render([draw])
        for name in ("images", "labels", "valid"):
            assert torch.equal(getattr(made, name)[number], getattr(alone, name)[0])
    assert torch.equal(scales.render(draws[:1]).images, close.render(draws[:1]).images)
