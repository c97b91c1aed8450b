from __future__ import annotations

import numpy as np
import torch

from samplar.config.synthesis import SynthesisConfig
from samplar.io import overlay
from samplar.synthesis.draw import Draw, Look, Move
from samplar.synthesis.preview import caption, contact_sheet
from samplar.synthesis.synthesizer import Synthesizer


def test_the_sheet_shows_exemplars_first_then_the_draws_of_the_seed(phantom):
    samples = phantom(count=2, side=64)
    synthesizer = Synthesizer(samples, classes=3, config=SynthesisConfig())
    sheet = contact_sheet(synthesizer, count=4, seed=3, columns=3, class_names=["a", "b", "c"])
    draws = synthesizer.draw([0, 1, 0, 1], torch.Generator().manual_seed(3))
    made = synthesizer.render([Draw(exemplar=0), Draw(exemplar=1), *draws])
    tiles = [
        overlay.outline(image.permute(1, 2, 0).numpy(), labels.numpy(), scale=4)
        for image, labels in zip(made.images, made.labels, strict=True)
    ]
    captions = ["exemplar 1", "exemplar 2", *map(caption, draws)]
    expected = overlay.contact_sheet(tiles, captions, columns=3, legend=["a", "b", "c"])
    assert np.array_equal(sheet, expected)
    other = contact_sheet(synthesizer, count=4, seed=4, columns=3, class_names=["a", "b", "c"])
    assert not np.array_equal(sheet, other)


def test_captions_say_how_an_image_was_made():
    one, all_three = Move(classes=(2,)), Move(classes=(1, 2, 3))
    cross = {"exemplar": 0, "donor": 3}
    assert caption(Draw(exemplar=0)) == "1, untouched"
    assert caption(Draw(exemplar=1, look=Look(gain=0.9))) == "2, whole"
    assert caption(Draw(exemplar=0, background="own", moves=(all_three,))) == (
        "1, group, own background"
    )
    assert caption(Draw(**cross, background="cross", moves=(one, one))) == "1, 2 pasted, on 4"
    assert caption(Draw(**cross, background="cross_clean", moves=(one,))) == (
        "1, 1 pasted, on 4, cleared"
    )


def test_close_ups_come_last_and_are_named(phantom):
    whole, close = (
        Synthesizer(phantom(count=n, side=64), classes=3, config=SynthesisConfig()) for n in (2, 1)
    )
    sheet = contact_sheet(whole, close=close, count=3, seed=3, columns=3)
    chance, tiles, captions = torch.Generator().manual_seed(3), [], []
    for synthesizer, turns, said in ((whole, [0, 1], ""), (close, [0], "close-up: ")):
        draws = synthesizer.draw(turns, chance)
        firsts = [Draw(exemplar=n) for n in range(len(synthesizer))]
        made = synthesizer.render([*firsts, *draws])
        tiles += [
            overlay.outline(image.permute(1, 2, 0).numpy(), labels.numpy(), scale=4)
            for image, labels in zip(made.images, made.labels, strict=True)
        ]
        names = [f"exemplar {n + 1}" for n in range(len(firsts))]
        captions += [said + text for text in [*names, *map(caption, draws)]]
    assert np.array_equal(sheet, overlay.contact_sheet(tiles, captions, columns=3))
