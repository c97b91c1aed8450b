from __future__ import annotations

import math
from collections import Counter

import pytest

from samplar.config.synthesis import Backgrounds, Bending, Mix, Placing, SynthesisConfig
from samplar.synthesis.chance import draw_one
from samplar.synthesis.dice import Dice
from samplar.synthesis.draw import Draw, Look, Tone, Warp
from samplar.synthesis.organs import Organ
from samplar.synthesis.shape import Window

HERE = {
    2: Organ(400, (50.0, 40.0), Window(40, 30, 60, 50)),
    1: Organ(100, (70.0, 40.0), Window(65, 35, 75, 45)),
    5: Organ(30, (20.0, 40.0), Window(18, 37, 23, 43)),
}
THERE = {2: Organ(300, (60.0, 44.0), Window(50, 34, 70, 54))}


def only(**weights):
    return Mix(**({"exemplar": 0, "whole": 0, "group": 0, "organs": 0} | weights))


def draws(config, *, n=400, organs=(HERE, THERE), exemplar=0):
    return [draw_one(exemplar, organs, side=100, config=config, seed=s) for s in range(n)]


def family(draw):
    if draw.background == "none":
        return "exemplar" if draw == Draw(exemplar=draw.exemplar) else "whole"
    return "group" if len(draw.moves[0].classes) == 3 else "organs"


def test_families_and_backgrounds_come_as_often_as_their_weights_say():
    config = SynthesisConfig(
        mix=Mix(exemplar=1, whole=4, group=3, organs=2),
        backgrounds=Backgrounds(own=2, cross=1, cross_clean=1),
    )
    made = draws(config, n=1000)
    families = Counter(map(family, made))
    for name, share in {"exemplar": 0.1, "whole": 0.4, "group": 0.3, "organs": 0.2}.items():
        assert families[name] / 1000 == pytest.approx(share, abs=0.05)
    policies = Counter(draw.background for draw in made if draw.moves)
    total = sum(policies.values())
    assert policies["own"] / total == pytest.approx(0.5, abs=0.07)
    assert policies["cross"] / total == pytest.approx(0.25, abs=0.07)
    assert {draw.donor for draw in made if draw.background.startswith("cross")} == {1}


def test_one_exemplar_is_its_own_background():
    config = SynthesisConfig(mix=only(group=1), backgrounds=Backgrounds(own=0, cross_clean=1))
    assert {d.background for d in draws(config, n=50, organs=[HERE])} == {"own"}


def test_every_other_exemplar_becomes_a_donor():
    config = SynthesisConfig(mix=only(group=1), backgrounds=Backgrounds(own=0, cross_clean=1))
    made = draws(config, n=100, organs=[HERE, HERE, HERE, THERE], exemplar=1)
    assert {draw.donor for draw in made} == {0, 2, 3}


def test_without_foreground_the_whole_image_is_moved():
    made = draws(SynthesisConfig(mix=only(group=1, organs=1)), n=50, organs=({}, HERE))
    assert {draw.background for draw in made} == {"none"}
    assert sum(draw.warp != Warp() for draw in made) > 40


def test_a_group_shares_one_map_and_organs_have_their_own():
    (group,) = {len(d.moves) for d in draws(SynthesisConfig(mix=only(group=1)), n=30)}
    assert group == 1
    made = draws(SynthesisConfig(mix=only(organs=1)))
    pasted = Counter(k for draw in made for move in draw.moves for k in move.classes)
    for count in pasted.values():
        assert count / 400 == pytest.approx(0.8, abs=0.07)
    assert min(len(draw.moves) for draw in made) == 1
    orders = {tuple(move.classes[0] for move in draw.moves) for draw in made}
    assert (2, 1, 5) in orders
    assert all(sorted(order, key=[2, 1, 5].index) == list(order) for order in orders)
    three = next(draw for draw in made if len(draw.moves) == 3)
    assert len({move.warp.affine.rotation for move in three.moves}) == 3


def test_at_least_one_organ_is_pasted():
    made = draws(SynthesisConfig(mix=only(organs=1), class_probability=0), n=60)
    assert {len(draw.moves) for draw in made} == {1}
    assert {draw.moves[0].classes for draw in made} == {(1,), (2,), (5,)}


def test_amounts_stay_within_their_ranges():
    placing = Placing(probability=1, rotation=30, scale=(0.5, 2), shift=0.1, shear=10, flip=0.5)
    config = SynthesisConfig(
        mix=only(whole=1), placing=placing,
        bending=Bending(probability=1, amplitude=0.06, cells=4),
    )  # fmt: skip
    affines = [draw.warp.affine for draw in draws(config)]
    for values, limit in (
        ([a.rotation for a in affines], 30),
        ([a.shear for a in affines], 10),
        ([a.shift[0] for a in affines], 10),
        ([a.shift[1] for a in affines], 10),
        ([a.log_scale for a in affines], math.log(2)),
    ):
        assert -limit <= min(values) < -0.9 * limit
        assert 0.9 * limit < max(values) <= limit
    assert 0.4 < sum(a.flip for a in affines) / 400 < 0.6
    assert {a.centre for a in affines} == {(49.5, 49.5)}
    bends = [draw.warp.elastic for draw in draws(config)]
    assert 5.5 < max(bend.amplitude for bend in bends) <= 6
    assert len({bend.seed for bend in bends}) == 400
    assert {bend.cells for bend in bends} == {4}


def test_no_flip_unless_asked_for():
    made = draws(SynthesisConfig(mix=only(whole=1, organs=1)))
    moves = [move for draw in made for move in draw.moves]
    assert not any(part.warp.affine.flip for part in [*made, *moves])
    assert not any(draw.look.inverted for draw in made)


def test_cut_outs_shift_by_their_own_size_about_their_own_centre():
    placing = Placing(probability=1, shift=0.1)
    config = SynthesisConfig(
        mix=only(organs=1), organ_placing=placing, backgrounds=Backgrounds(own=1, cross_clean=0)
    )
    moves = [move for draw in draws(config) for move in draw.moves]
    for index, organ in HERE.items():
        own = [move.warp.affine for move in moves if move.classes == (index,)]
        assert {affine.centre for affine in own} == {organ.centre}
        reach = 0.1 * organ.window.longer_side
        assert 0.9 * reach < max(abs(affine.shift[0]) for affine in own) <= reach


def test_organs_go_where_the_donor_had_them():
    still = Placing(probability=0)
    config = SynthesisConfig(
        mix=only(organs=1), organ_placing=still, class_probability=1,
        backgrounds=Backgrounds(own=0, cross_clean=1),
    )  # fmt: skip
    shifts = {m.classes[0]: m.warp.affine.shift for m in draws(config, n=1)[0].moves}
    assert shifts == {2: (10.0, 4.0), 1: (0.0, 0.0), 5: (0.0, 0.0)}
    left = config.model_copy(update={"align_to_donor": False})
    assert {m.warp.affine.shift for m in draws(left, n=1)[0].moves} == {(0.0, 0.0)}
    group = config.model_copy(update={"mix": only(group=1), "group_placing": still})
    assert draws(group, n=1)[0].moves[0].warp.affine.shift == (10.0, 4.0)


def test_each_part_of_the_look_appears_and_keeps_its_range():
    looks = [draw.look for draw in draws(SynthesisConfig(mix=only(whole=1)), n=600)]
    assert 0.7 <= min(look.gamma for look in looks) < 0.75
    assert 1.4 < max(look.gamma for look in looks) <= 1.5
    assert max(look.noise for look in looks) <= 0.03
    assert max(look.low_resolution for look in looks) <= 2
    assert {len(look.bias) for look in looks} == {0, 9}
    for part, chance in {"gamma": 0.5, "contrast": 0.3, "noise": 0.3, "blur": 0.15}.items():
        share = sum(getattr(look, part) != getattr(Look(), part) for look in looks) / 600
        assert share == pytest.approx(chance, abs=0.06)
    tones = [m.tone for d in draws(SynthesisConfig(mix=only(group=1))) for m in d.moves]
    assert 0.4 < sum(tone == Tone() for tone in tones) / 400 < 0.6
    assert max(abs(tone.offset) for tone in tones) <= 0.04


def test_inversion_can_be_asked_for():
    look = {"inversion_probability": 1.0}
    config = SynthesisConfig.model_validate({"mix": only(whole=1), "look": look})
    assert all(draw.look.inverted for draw in draws(config, n=20))


def test_strength_scales_every_amount():
    def amounts(strength):
        config = SynthesisConfig(strength=strength, mix=only(whole=1))
        made = draws(config, n=100)
        bends = [draw.warp.elastic.amplitude for draw in made if draw.warp.elastic]
        rotations = [draw.warp.affine.rotation for draw in made]
        gammas = [math.log(draw.look.gamma) for draw in made]
        return bends + rotations + gammas + [draw.look.noise for draw in made]

    standard = amounts("standard")
    assert amounts("light") == pytest.approx([0.5 * amount for amount in standard])
    assert amounts("strong") == pytest.approx([1.5 * amount for amount in standard])


def test_how_a_draw_is_finished_is_recorded_in_it():
    config = SynthesisConfig(mix=only(group=1), mask_blur=0, smallest_visible=0.5, border="reflect")
    (draw,) = draws(config, n=1)
    assert (draw.mask_blur, draw.smallest_visible, draw.border) == (0, 0.5, "reflect")


def test_dice_are_seeded():
    first, second, third = (Dice(seed, factor=1) for seed in (4, 4, 5))
    rolls = [(dice.within(2), dice.up_to(3), dice.index(9), dice.seed()) for dice in
             (first, second, third)]  # fmt: skip
    assert rolls[0] == rolls[1] != rolls[2]
