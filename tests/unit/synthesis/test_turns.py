from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from samplar.config.synthesis import SynthesisConfig
from samplar.synthesis.draw import Affine, Draw, Warp
from samplar.synthesis.synthesizer import Synthesizer
from samplar.synthesis.turns import draw_turned, quarter_turn

SIDE = 48
MANY = 4000


def draws():
    return [draw_turned(0, side=SIDE, seed=seed) for seed in range(MANY)]


def share(flags):
    return sum(flags) / MANY


def test_half_are_quarter_turns_with_a_flip_and_a_quarter_are_small_turns():
    maps = [draw.warp.affine for draw in draws()]
    flipped = [a for a in maps if a.flip]
    small = [a for a in maps if not a.flip and a.rotation]
    assert len(flipped) / MANY == pytest.approx(0.5, abs=0.03)
    assert len(small) / MANY == pytest.approx(0.25 * 39 / 40, abs=0.03)  # one of 40 turns is none
    assert {a.rotation for a in flipped} == {0.0, 90.0, 180.0, 270.0}
    assert all(a.rotation == int(a.rotation) for a in small)
    angles = [-a.rotation for a in small]  # to the left, as the published code counts
    assert (min(angles), max(angles)) == (-20, 19)
    assert {a.centre for a in maps if a != Affine()} == {(23.5, 23.5)}


def test_every_quarter_and_flip_is_as_likely():
    turns = [d.warp.affine.rotation for d in draws() if d.warp.affine.flip]
    for rotation in (0.0, 90.0, 180.0, 270.0):
        assert turns.count(rotation) / len(turns) == pytest.approx(0.25, abs=0.04)


def rendered(phantom, draw):
    samples = phantom(count=1, side=SIDE, seed=3)
    made = Synthesizer(samples, classes=3, config=SynthesisConfig()).render([draw])
    return samples, made


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("sideways", [True, False])
def test_quarter_turns_are_those_of_numpy(phantom, quarters, sideways):
    rotation, flip = quarter_turn(quarters, sideways=sideways)
    affine = Affine(rotation=rotation, flip=flip, centre=(23.5, 23.5))
    samples, made = rendered(phantom, Draw(exemplar=0, warp=Warp(affine=affine)))
    for found, start in ((made.images[0, 0], samples.images[0, 0]), (made.labels, samples.labels)):
        turned = np.rot90(start.reshape(SIDE, SIDE).numpy(), quarters)
        expected = np.flip(turned, axis=1 if sideways else 0).copy()
        torch.testing.assert_close(
            found.reshape(SIDE, SIDE), torch.from_numpy(expected), rtol=0, atol=1e-4
        )
    assert made.valid.all()


@pytest.mark.parametrize("angle", [-20, 7, 19])
def test_small_turns_go_the_way_of_scipy(phantom, angle):
    affine = Affine(rotation=-float(angle), centre=(23.5, 23.5))
    samples, made = rendered(phantom, Draw(exemplar=0, warp=Warp(affine=affine)))
    expected = ndimage.rotate(samples.images[0, 0].numpy(), angle, order=1, reshape=False)
    inner = slice(8, -8)
    difference = np.abs(made.images[0, 0].numpy() - expected)[inner, inner]
    assert difference.max() < 1e-3
    labels = ndimage.rotate(samples.labels[0].numpy(), angle, order=0, reshape=False)
    assert (labels != made.labels[0].numpy()).mean() < 0.03  # only along the outlines


def test_the_recipe_is_used_where_it_is_asked_for(phantom):
    samples = phantom(count=2)
    generator = torch.Generator().manual_seed(0)
    config = SynthesisConfig(recipe="samed")
    found = Synthesizer(samples, classes=3, config=config).draw([0, 1] * 20, generator)
    assert [draw.exemplar for draw in found] == [0, 1] * 20
    assert all(not draw.moves and draw.look == Draw(exemplar=0).look for draw in found)
    assert len({draw.warp.affine.rotation for draw in found}) > 4
    off = SynthesisConfig(recipe="samed", strength="off")
    plain = Synthesizer(samples, classes=3, config=off).draw([1], generator)
    assert plain == [Draw(exemplar=1)]
