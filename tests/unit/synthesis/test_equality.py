"""The fast rendering comes to the same as the plain one, over everything that can be drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plain_synthesis import rendered

from samplar.config.synthesis import Backgrounds, LookRange, Mix, SynthesisConfig
from samplar.synthesis.synthesizer import Synthesizer

OFTEN = {f"{part}_probability": 0.6 for part in
         ("gamma", "linear", "contrast", "bias", "noise", "blur", "low_resolution")}  # fmt: skip
EVERYTHING = SynthesisConfig(
    strength="strong",
    mix=Mix(exemplar=0, whole=1, group=1, organs=1),
    backgrounds=Backgrounds(own=1, cross=1, cross_clean=1),
    look=LookRange(**OFTEN, inversion_probability=0.2),
)


@pytest.mark.parametrize(
    ("phantoms", "settings"),
    [
        ({}, {}),
        ({"side": 61, "height": 61, "width": 50, "classes": 5}, {}),
        ({"side": 57, "colour": True}, {"border": "reflect", "mask_blur": 0.0}),
    ],
    ids=["grey", "odd and padded", "colour, reflected, hard"],
)
def test_the_fast_path_is_the_plain_path(phantom, phantoms, settings):
    samples = phantom(count=3, **phantoms)
    samples.labels[:, :9, 3:20] = 255
    config = EVERYTHING.model_copy(update=settings)
    synthesizer = Synthesizer(samples, classes=5, config=config)
    draws = synthesizer.draw([0, 1, 2] * 20, torch.Generator().manual_seed(1))
    made = synthesizer.render(draws)
    assert sum(len(draw.moves) > 1 for draw in draws) > 10
    for n, draw in enumerate(draws):
        image, labels, valid = rendered(samples, draw)
        # float32 places are a few 1e-6 pixels off: next to nothing in the image, but on the edge
        # of a mask the vote can fall the other way, and with it the paste at that pixel
        differ = (made.labels[n].numpy() != labels) | (made.valid[n].numpy() != valid)
        assert differ.mean() < 0.001, draw
        off = np.abs(made.images[n].numpy() - image).max(axis=0)
        assert np.quantile(off, 0.98) < 1e-4, draw
        assert off.mean() < 1e-4, draw
