"""What the synthesis promises as a whole."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform, binary_dilation

from samplar.config.synthesis import Backgrounds, Mix, SynthesisConfig
from samplar.errors import InputError
from samplar.synthesis import synthesizer as rendering
from samplar.synthesis.draw import Affine, Draw, Elastic, Look, Move, Tone, Warp
from samplar.synthesis.samples import Samples
from samplar.synthesis.synthesizer import Synthesizer

STRONG = SynthesisConfig(
    strength="strong",
    mix=Mix(exemplar=0, whole=1, group=1, organs=1),
    backgrounds=Backgrounds(own=1, cross=1, cross_clean=1),
)
ORGANS = SynthesisConfig(mix=Mix(exemplar=0, whole=0, group=0, organs=1))


def make(samples, classes=3, config=STRONG):
    return Synthesizer(samples, classes=classes, config=config)


def shifted(down=0.0, right=0.0, **rest):
    return Warp(affine=Affine(shift=(down, right), **rest))


def same(left, right):
    return (
        torch.equal(left.images, right.images)
        and torch.equal(left.labels, right.labels)
        and torch.equal(left.valid, right.valid)
    )


def pick(samples, *indices):
    chosen = torch.tensor(indices)
    return Samples(samples.images[chosen], samples.labels[chosen], samples.valid[chosen])


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("border", ["zeros", "reflect"])
def test_an_identity_draw_returns_the_exemplar_bit_for_bit(phantom, colour, border):
    samples = phantom(colour=colour, height=48, width=37)
    samples.labels[0, :5, :7] = 255
    samples.images[1, :, 40:, 40:] = 0.25  # whatever the padding holds must come back as well
    samples.labels[1, 40:, 40:] = 2
    rendered = make(samples).render([Draw(exemplar=1, border=border), Draw(exemplar=0)])
    assert same(rendered, pick(samples, 1, 0))


def test_settings_that_are_off_draw_only_exemplars(phantom):
    samples = phantom(count=3)
    synthesizer = make(samples, config=SynthesisConfig.off())
    draws = synthesizer.draw([2, 0, 1] * 20, torch.Generator().manual_seed(0))
    assert set(draws) == {Draw(exemplar=0), Draw(exemplar=1), Draw(exemplar=2)}
    assert same(synthesizer.render(draws[:3]), pick(samples, 2, 0, 1))


@pytest.mark.parametrize(("down", "right"), [(3, -5), (-7, 2), (0, 11)])
def test_a_whole_pixel_shift_is_a_roll_inside_the_canvas(phantom, down, right):
    samples = phantom(count=1, width=40)
    rendered = make(samples).render([Draw(exemplar=0, warp=shifted(down, right))])
    inside = torch.zeros(48, 48, dtype=torch.bool)
    inside[max(down, 0) : 48 + min(down, 0), max(right, 0) : 48 + min(right, 0)] = True

    def rolled(plane):
        moved = plane.roll((down, right), (-2, -1))
        return torch.where(inside, moved, torch.zeros_like(moved))

    assert torch.equal(rendered.images, rolled(samples.images))
    assert torch.equal(rendered.labels, rolled(samples.labels))
    assert torch.equal(rendered.valid, rolled(samples.valid))


def test_image_and_mask_go_where_the_map_says(single):
    labels = np.zeros((64, 64))
    labels[10:22, 30:50] = 1
    samples = single(labels * 0.9, labels)
    affine = Affine(rotation=30, log_scale=0.2, shift=(6, -4), centre=(31.5, 31.5))
    rendered = make(samples, classes=1).render([Draw(exemplar=0, warp=Warp(affine=affine))])
    # the box's middle (15.5, 39.5) lies 16 up and 8 right of the centre; clockwise by 30 degrees
    size, cos, sin = math.exp(0.2), math.cos(math.radians(30)), math.sin(math.radians(30))
    expected = np.array(
        [31.5 + 6 + size * (-16 * cos + 8 * sin), 31.5 - 4 + size * (16 * sin + 8 * cos)]
    )
    grid = np.stack(np.mgrid[:64, :64])
    for weight in (rendered.images[0, 0].numpy(), (rendered.labels[0] == 1).numpy()):
        centre = (grid * weight).sum((1, 2)) / weight.sum()
        assert np.abs(centre - expected).max() < 0.25
    agree = (rendered.images[0, 0] > 0.45) == (rendered.labels[0] == 1)
    assert agree.float().mean() > 0.998


def test_a_warp_samples_like_scipy(phantom):
    samples = phantom(count=1)
    affine = Affine(rotation=-17, log_scale=-0.1, shear=6, flip=True, shift=(2.5, 1.25))
    affine = affine.model_copy(update={"centre": (20.0, 25.0)})
    rendered = make(samples).render([Draw(exemplar=0, warp=Warp(affine=affine))])
    angle, slope = math.radians(-17), math.tan(math.radians(6))
    rotate = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    forward = math.exp(-0.1) * rotate @ np.array([[1, 0], [slope, 1]]) @ np.diag([1, -1])
    centre, shift = np.array([20.0, 25.0]), np.array([2.5, 1.25])
    back = np.linalg.inv(forward)
    offset = centre - back @ (centre + shift)
    image = samples.images[0, 0].numpy()
    expected = affine_transform(image, back, offset, order=1, mode="grid-constant")
    assert np.abs(rendered.images[0, 0].numpy() - expected).max() < 2e-5
    for index in (1, 2, 3):
        mask = (samples.labels[0] == index).double().numpy()
        share = affine_transform(mask, back, offset, order=1, mode="grid-constant")
        got = (rendered.labels[0] == index).numpy()
        assert got[share > 0.501].all()
        assert not got[share < 0.249].any()


def test_same_generator_seed_same_draws_same_bytes(phantom):
    samples = phantom()
    first, second = make(samples), make(samples)
    draws = first.draw([0, 1] * 8, torch.Generator().manual_seed(7))
    again = second.draw([0, 1] * 8, torch.Generator().manual_seed(7))
    assert draws == again
    assert draws != first.draw([0, 1] * 8, torch.Generator().manual_seed(8))
    assert same(first.render(draws), second.render(again))


def test_a_draw_survives_json(phantom):
    synthesizer = make(phantom(colour=True))
    draws = synthesizer.draw([0, 1] * 8, torch.Generator().manual_seed(1))
    restored = [Draw.model_validate_json(draw.model_dump_json()) for draw in draws]
    assert same(synthesizer.render(draws), synthesizer.render(restored))


@pytest.mark.parametrize(("side", "colour"), [(61, False), (48, True)])
def test_an_image_does_not_depend_on_its_batch(phantom, monkeypatch, side, colour):
    synthesizer = make(phantom(side=side, colour=colour))
    draws = synthesizer.draw([0, 1] * 20, torch.Generator().manual_seed(2))
    monkeypatch.setattr(rendering, "SHEET", 7 * side**2)  # sheets of seven, the last one of five
    together = synthesizer.render(draws)
    alone = [synthesizer.render([draw]) for draw in draws]
    assert torch.equal(together.images, torch.cat([one.images for one in alone]))
    assert torch.equal(together.labels, torch.cat([one.labels for one in alone]))


def test_no_phantom_classes_and_values_stay_in_range(phantom):
    samples = phantom(count=3, classes=5)
    samples.labels[samples.labels == 3] = 0
    samples.labels[:, 20:24, :10] = 255
    synthesizer = make(samples, classes=5)
    rendered = synthesizer.render(
        synthesizer.draw([0, 1, 2] * 20, torch.Generator().manual_seed(3))
    )
    assert set(rendered.labels.unique().tolist()) == {0, 1, 2, 4, 5, 255}
    assert rendered.images.min() >= 0
    assert rendered.images.max() <= 1
    assert rendered.labels[~rendered.valid].max() == 0


def test_ignored_pixels_move_as_ignored(single):
    labels = np.zeros((32, 32))
    labels[4:8, 4:8] = 255
    rendered = make(single(labels / 255, labels), classes=1).render(
        [Draw(exemplar=0, warp=shifted(10, 3))]
    )
    expected = np.zeros((32, 32))
    expected[14:18, 7:11] = 255
    assert np.array_equal(rendered.labels[0].numpy(), expected)


@pytest.mark.parametrize("blur", [0.0, 1.0])
def test_outside_the_pasted_masks_the_background_is_untouched(phantom, blur):
    synthesizer = make(phantom(), config=ORGANS)
    plain = {"look": Look(), "mask_blur": blur}
    draws = [
        draw.model_copy(update=plain)
        for draw in synthesizer.draw([0, 1] * 6, torch.Generator().manual_seed(4))
    ]
    pasted = synthesizer.render(draws)
    behind = synthesizer.render([draw.model_copy(update={"moves": ()}) for draw in draws])
    assert (behind.labels == 0).all()
    reach = math.ceil(3 * blur)
    for n in range(len(draws)):
        mask = (pasted.labels[n] > 0).numpy()
        assert mask.any()
        near = binary_dilation(mask, np.ones((3, 3)), iterations=reach) if reach else mask
        same_pixels = (pasted.images[n] == behind.images[n]).all(dim=0).numpy()
        assert same_pixels[~near].all()
        assert not same_pixels[mask].all()


def test_a_hard_paste_in_place_gives_back_every_organ(phantom):
    samples = phantom(colour=True)
    draw = Draw(
        exemplar=0, background="own", moves=tuple(Move(classes=(k,)) for k in (1, 2, 3)),
        mask_blur=0,
    )  # fmt: skip
    rendered = make(samples).render([draw])
    organs = samples.labels[0] > 0
    assert torch.equal(rendered.labels[0], samples.labels[0])
    assert torch.equal(rendered.images[0][:, organs], samples.images[0][:, organs])
    assert not torch.equal(rendered.images[0], samples.images[0])


def test_a_soft_paste_is_the_stated_blend(single):
    image, labels = np.full((32, 32), 0.2), np.zeros((32, 32))
    image[8:24, 8:24], labels[8:24, 8:24] = 0.8, 1
    source, donor = single(image, labels), single(np.full((32, 32), 0.5), labels * 0)
    samples = Samples(
        *(torch.cat([getattr(s, part) for s in (source, donor)])
          for part in ("images", "labels", "valid"))
    )  # fmt: skip
    draw = Draw(exemplar=0, background="cross", donor=1, moves=(Move(classes=(1,)),))
    row = make(samples, classes=1).render([draw]).images[0, 0, 16].numpy()
    bell = np.exp(-0.5 * np.arange(-3, 4) ** 2)
    share = np.convolve(np.repeat([0.0, 1.0, 0.0], [8, 16, 8]), bell / bell.sum(), "same")
    # beyond the mask the cut-out shows its own surroundings
    expected = share * image[16] + (1 - share) * 0.5
    assert np.abs(row - expected).max() < 1e-5
    assert row[16] == np.float32(0.8)


@pytest.mark.parametrize("angle", [7, 20, 33, 45, -90])
def test_rotation_keeps_areas(phantom, angle):
    samples = phantom(count=1, side=96)
    move = Affine(rotation=angle, centre=(47.5, 47.5))
    whole = Draw(exemplar=0, warp=Warp(affine=move))
    group = Draw(
        exemplar=0, background="own", moves=(Move(classes=(1, 2, 3), warp=Warp(affine=move)),)
    )
    rendered = make(samples).render([whole, group])
    before = torch.bincount(samples.labels.flatten().long(), minlength=4)[1:4]
    for labels in rendered.labels:
        after = torch.bincount(labels.flatten().long(), minlength=4)[1:4]
        assert ((after - before).abs() / before).max() < 0.03


@pytest.mark.parametrize(("down", "kept"), [(-14, True), (-18, False), (-40, False)])
def test_a_cut_out_that_is_hardly_visible_is_dropped(single, down, kept):
    labels = np.zeros((40, 40))
    labels[4:24, 10:20] = 1  # 20 rows: 14 up leave 10 = 50 %, 18 up leave 6 = 30 % less one row
    draw = Draw(
        exemplar=0, background="own",
        moves=(Move(classes=(1,), warp=shifted(down)),), smallest_visible=0.31,
    )  # fmt: skip
    rendered = make(single(labels / 2, labels), classes=1).render([draw])
    assert int((rendered.labels == 1).sum()) == (100 if kept else 0)


def test_later_moves_overwrite_earlier_ones(single):
    labels = np.zeros((40, 40))
    labels[5:15, 5:15], labels[25:35, 25:35] = 1, 2
    over = Move(classes=(2,), warp=shifted(-18, -18))
    samples = single(labels / 2, labels)
    below, above = Move(classes=(1,)), over
    first = Draw(exemplar=0, background="own", moves=(below, above), mask_blur=0)
    second = Draw(exemplar=0, background="own", moves=(above, below), mask_blur=0)
    rendered = make(samples, classes=2).render([first, second])
    assert (rendered.labels[0] == 2).sum() == 100
    assert (rendered.labels[0] == 1).sum() == 100 - 64
    assert (rendered.labels[1] == 1).sum() == 100
    assert rendered.images[0, 0, 10, 10] == 1.0
    assert rendered.images[1, 0, 10, 10] == 0.5


def test_nothing_is_pasted_on_the_padding(phantom):
    samples = phantom(count=1, width=30)
    draw = Draw(
        exemplar=0, background="own", smallest_visible=0,
        moves=(Move(classes=(1, 2, 3), warp=shifted(0, 12)),),
    )  # fmt: skip
    rendered = make(samples).render([draw])
    assert (rendered.labels[0, :, :30] > 0).any()
    assert (rendered.labels[0, :, 30:] == 0).all()
    assert (rendered.images[0, :, :, 30:] == 0).all()
    assert torch.equal(rendered.valid, samples.valid)


def test_cross_keeps_the_donors_organs_and_cross_clean_does_not(phantom):
    samples = phantom(count=2, seed=5)
    samples.labels[1][samples.labels[1] == 2] = 3  # only the source has class 2
    move = Move(classes=(2,))
    draws = [
        Draw(exemplar=0, background=policy, donor=1, moves=(move,))
        for policy in ("cross", "cross_clean")
    ]
    cross, clean = make(samples).render(draws).labels
    pasted = samples.labels[0] == 2
    assert torch.equal(cross, torch.where(pasted, samples.labels[0], samples.labels[1]))
    assert torch.equal(clean, torch.where(pasted, samples.labels[0], 0))


def test_a_tone_changes_the_cut_out_only(single):
    image, labels = np.full((32, 32), 0.5), np.zeros((32, 32))
    labels[10:20, 10:20] = 1
    move = Move(classes=(1,), tone=Tone(gamma=2, gain=1.2, offset=0.1))
    draw = Draw(exemplar=0, background="own", moves=(move,), mask_blur=0)
    rendered = make(single(image, labels), classes=1).render([draw]).images[0, 0].numpy()
    assert rendered[10:20, 10:20] == pytest.approx(1.2 * 0.25 + 0.1)
    assert rendered[0:10] == pytest.approx(0.5)


def test_a_class_the_exemplar_lacks_is_not_pasted(phantom):
    samples = phantom(count=1, classes=2)
    draw = Draw(exemplar=0, background="own", moves=(Move(classes=(3,)), Move(classes=(1, 3))))
    assert set(make(samples).render([draw]).labels.unique().tolist()) == {0, 1}


def test_contrast_turns_about_the_mean_of_what_is_behind(single):
    blank = np.zeros((16, 16))
    dark, bright = single(blank + 0.3, blank), single(blank + 0.6, blank)
    samples = Samples(
        *(torch.cat([getattr(s, part) for s in (dark, bright)])
          for part in ("images", "labels", "valid"))
    )  # fmt: skip
    look = Look(contrast=1.5)
    draws = [
        Draw(exemplar=0, look=look),
        Draw(exemplar=1, look=look),
        Draw(exemplar=0, background="cross_clean", donor=1, look=look),
    ]
    values = make(samples).render(draws).images.mean(dim=(1, 2, 3))
    assert values.tolist() == pytest.approx([0.3, 0.6, 0.6])


def test_reflected_borders_change_the_image_only(phantom):
    samples = phantom(count=1)
    warp = shifted(5, -3)
    zeros, mirror = (
        make(samples)
        .render([Draw(exemplar=0, warp=warp), Draw(exemplar=0, warp=warp, border="reflect")])
        .images
    )
    padded = np.pad(samples.images[0].numpy(), ((0, 0), (5, 0), (0, 3)), mode="reflect")
    assert np.abs(mirror.numpy() - padded[:, :48, 3:]).max() < 1e-6
    assert (zeros[:, :5] == 0).all()
    rendered = make(samples).render([Draw(exemplar=0, warp=warp, border="reflect")])
    assert not rendered.valid[0, :5].any()
    assert (rendered.labels[0, :5] == 0).all()


def _no_foreground(phantom):
    samples = phantom(count=2)
    samples.labels[0] = 0
    return samples, 3


def _touching(phantom):
    samples = phantom(count=2)
    samples.labels[:, :6, :] = 1
    samples.labels[:, :, -1] = 2
    return samples, 3


@pytest.mark.parametrize(
    "case",
    [
        lambda make: (make(count=1), 3),
        _no_foreground,
        lambda make: (make(count=2, classes=2), 9),
        _touching,
        lambda make: (make(count=3, classes=1), 1),
        lambda make: (make(count=2, classes=20, side=96), 20),
        lambda make: (make(count=2, height=20, width=48), 3),
        lambda make: (make(count=2, height=48, width=9), 3),
    ],
    ids=["one", "empty", "missing", "border", "k1", "k20", "flat", "thin"],
)
def test_unusual_exemplars(phantom, case):
    samples, classes = case(phantom)
    synthesizer = make(samples, classes=classes)
    indices = [n % len(samples) for n in range(18)]
    draws = synthesizer.draw(indices, torch.Generator().manual_seed(6))
    rendered = synthesizer.render(draws)
    assert [draw.exemplar for draw in draws] == indices
    assert rendered.images.shape == (18, 3, samples.side, samples.side)
    assert torch.isfinite(rendered.images).all()
    assert set(rendered.labels.unique().tolist()) <= set(samples.labels.unique().tolist()) | {0}
    assert (rendered.labels > 0).any()
    assert rendered.valid.any()


def test_an_elastic_field_moves_image_and_labels_together(single):
    labels = np.zeros((64, 64))
    labels[16:48, 16:48] = 1
    warp = Warp(elastic=Elastic(amplitude=6, cells=4, seed=3))
    rendered = make(single(labels, labels), classes=1).render([Draw(exemplar=0, warp=warp)])
    changed = rendered.labels[0] != torch.from_numpy(labels)
    assert changed.sum() > 50
    assert ((rendered.images[0, 0] > 0.5) == (rendered.labels[0] == 1)).all()


def test_wrong_exemplars_are_refused(phantom):
    samples = phantom()
    empty = Samples(samples.images[:0], samples.labels[:0], samples.valid[:0])
    dark = Samples(samples.images * float("nan"), samples.labels, samples.valid)
    for wrong, classes, code in (
        (empty, 3, "synthesis.no_exemplars"),
        (samples, 2, "synthesis.labels"),
        (dark, 3, "synthesis.range"),
    ):
        with pytest.raises(InputError) as error:
            make(wrong, classes=classes)
        assert error.value.code == code


def test_unknown_exemplars_are_refused(phantom):
    synthesizer = make(phantom(count=2))
    with pytest.raises(InputError, match="exemplar 2 does not exist, there are 2"):
        synthesizer.draw([0, 2], torch.Generator())
    with pytest.raises(InputError, match="exemplar 5 does not exist"):
        synthesizer.render([Draw(exemplar=0, background="cross", donor=5)])


def test_rendering_leaves_the_number_of_threads_alone(phantom):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        synthesizer = make(phantom())
        synthesizer.render([Draw(exemplar=0)])
        assert torch.get_num_threads() == 3
        with pytest.raises(InputError):
            synthesizer.render([Draw(exemplar=9)])
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_no_draws_give_no_samples(phantom):
    assert len(make(phantom()).render([])) == 0


def test_a_fully_padded_exemplar_is_returned_as_it_is(phantom):
    samples = phantom(count=1)
    samples.valid[:] = False
    look = Look(gain=0.5)
    rendered = make(samples).render([Draw(exemplar=0, look=look)])
    assert same(rendered, samples)
