from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation
from scipy.special import softmax

from samplar.config.fit import FitConfig
from samplar.evaluation.calibration import fit_temperature, near_foreground
from samplar.exemplars.exemplar import Exemplar, ExemplarSet
from samplar.exemplars.roi import Region
from samplar.exemplars.window import Window
from samplar.io.labels import LabelSet
from samplar.prediction import held_out, two_looks
from samplar.prediction.held_out import HeldOut, Look
from samplar.prediction.slices import predict_slices


@pytest.fixture
def exemplars(arrays):
    images, labels = arrays(3, height=28, width=36, seed=11)
    labels[0][labels[0] == 2] = 0
    labels[1][labels[1] == 2] = 0
    made = [
        Exemplar.of(case=f"c{n}", subject=f"s{n}", number=n, image=image, labels=label)
        for n, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
    return ExemplarSet.of(made, LabelSet(("left", "right"), (1, 2)))


@pytest.fixture
def lenient(monkeypatch):
    """Take any refit for good enough."""
    monkeypatch.setattr("samplar.prediction.held_out.ENOUGH", 0.0)


def held(exemplars, **trust):
    return HeldOut(exemplars, FitConfig(dataset="d", size=32, trust=trust), "fp32")


def near(found):
    """Return the pixels in the squares around those of a label map (h, w)."""
    reach = max(1, round(0.02 * max(found.shape)))
    return binary_dilation(found > 0, np.ones((2 * reach + 1, 2 * reach + 1)))


def test_a_method_that_sees_neighbours_is_shown_those_of_the_exemplar(adapted, arrays):
    model = adapted("ma-sam", start="random")
    around = model.slices // 2
    images, labels = arrays(model.slices, height=28, width=36, seed=3)
    beside = np.delete(images, around, axis=0)
    one = Exemplar.of(
        case="c", subject="s", number=9, image=images[around], labels=labels[around], beside=beside
    )
    made = ExemplarSet.of([one, replace(one, subject="t")], LabelSet(("left", "right"), (1, 2)))
    seen = held(made)
    seen.show(model, [0])
    expected = torch.cat(list(predict_slices(model, images, size=32, precision="fp32")))[around]
    np.testing.assert_array_equal(seen.looks[0].logits[:, 0], expected.numpy().astype(np.float16))
    alone = held(ExemplarSet.of([replace(one, beside=None)] * 2, made.labels))
    alone.show(model, [0])
    assert not np.array_equal(alone.looks[0].logits, seen.looks[0].logits)


def test_the_temperatures_are_of_the_pixels_that_count(learnt, exemplars, lenient):
    seen = held(exemplars)
    for n in range(3):
        seen.show(learnt, [n])
    found = seen.calibration(learnt)
    logits, truth, close, region = [], [], [], []
    for n, exemplar in enumerate(exemplars.exemplars):
        (part,) = predict_slices(learnt, exemplar.image[None], size=32, precision="fp32")
        labels = exemplar.labels.copy()
        if n == 2:  # the only one that shows class 2: nobody could teach it
            labels[labels == 2] = 255
        shown = part.argmax(1)[0].numpy().astype(np.uint8)
        known = labels != 255
        logits.append(part[0].numpy()[:, known].T)
        truth.append(labels[known])
        close.append(near(shown)[known])
        region.append(near_foreground(shown[None], labels[None])[0][known])
    logits, truth, close, region = map(np.concatenate, (logits, truth, close, region))
    assert found.calibrated
    assert found.temperature == pytest.approx(
        fit_temperature(logits[close], truth[close]), rel=0.01
    )
    assert found.far == pytest.approx(fit_temperature(logits[~close], truth[~close]), rel=0.01)
    assert (found.exemplars, found.folds) == (3, 2)
    assert sum(found.after.region.pixels) == region.sum()
    assert sum(found.after.everywhere.pixels) == len(truth)
    exact = softmax(logits / np.where(close, found.temperature, found.far)[:, None], axis=1)
    right = exact.argmax(1) == truth
    assert sum(found.after.everywhere.confidence) == pytest.approx(exact.max(1).sum(), rel=1e-3)
    assert sum(found.after.everywhere.correct) == right.sum()
    assert found.after.region.ece < found.before.region.ece
    assert "temperature" in found.line()


def test_of_very_many_pixels_every_second_is_fitted_to(learnt, exemplars, lenient, monkeypatch):
    seen, asked = held(exemplars), []
    for n in range(3):
        seen.show(learnt, [n])
    monkeypatch.setattr(held_out, "fit_temperature", lambda _, truth: asked.append(truth) or 1.0)
    seen.calibration(learnt)
    monkeypatch.setattr(held_out, "MANY", len(asked[0]) * 2 // 3)
    seen.calibration(learnt)
    assert np.array_equal(asked[2], asked[0][::2])


def test_where_everything_is_near_what_was_found_there_is_nothing_far(learnt, exemplars, lenient):
    seen = held(exemplars)
    for exemplar in exemplars.exemplars:
        logits = np.zeros((3, 1, 28, 36), dtype=np.float16)
        logits[1] = 2
        seen.looks.append(Look(logits, exemplar.labels[None]))
    found = seen.calibration(learnt)
    assert found.calibrated
    assert found.far == 1


def test_it_says_why_there_is_nothing_to_calibrate_with(learnt, adapted, exemplars):
    off = held(exemplars, calibrate=False)
    assert "trust.calibrate" in off.calibration(learnt).line()
    few = held(ExemplarSet.of(exemplars.exemplars[:2], exemplars.labels))
    line = few.calibration(learnt).line()
    assert line.startswith("not calibrated: 2 exemplars, and k < 3")
    assert "reads the truth" in held(exemplars).calibration(adapted("zero-shot")).reason
    assert "no structure" in held(exemplars).calibration(learnt).reason
    assert held(exemplars).reason_against(learnt) == ""


def test_exemplars_that_were_segmented_badly_are_no_evidence(learnt, exemplars, monkeypatch):
    seen = held(exemplars)
    for n in range(3):
        seen.show(learnt, [n])
    reached = np.mean([look.dsc() for look in seen.looks])
    monkeypatch.setattr("samplar.prediction.held_out.ENOUGH", reached + 1)
    found = seen.calibration(learnt)
    assert not found.calibrated
    assert f"segmented to a DSC of {reached:.0f}" in found.reason
    assert (found.temperature, found.far) == (1, None)
    monkeypatch.setattr("samplar.prediction.held_out.ENOUGH", reached - 1)
    assert seen.calibration(learnt).calibrated


def test_very_many_exemplars_are_not_all_looked_at(learnt, exemplars, lenient, monkeypatch):
    monkeypatch.setattr("samplar.prediction.held_out.MOST", 2)
    seen = held(exemplars)
    seen.show(learnt, [0, 1])
    seen.show(learnt, [2])
    assert seen.calibration(learnt).exemplars == 2
    assert torch.is_inference_mode_enabled() is False


def look(true, found):
    """Return what a model saw that found these classes where these are true."""
    logits = np.eye(3, dtype=np.float16)[found].transpose(2, 0, 1)[:, None]
    return Look(logits, true[None])


REGION = Region(share=0.25, centre=(0.5, 0.5), spread=(0.2, 0.2))


def half(labels):
    return np.where(np.arange(labels.shape[0])[:, None] % 2, labels, 0)


@pytest.mark.parametrize(
    ("twice", "once", "kept"),
    [
        ("good", "good", True),
        ("good", "poor", True),
        ("poor", "good", False),
        ("mixed", "other", True),  # worse, but within the standard error
        ("worse", "good", False),
    ],
)
def test_a_second_look_is_kept_unless_it_was_clearly_worse(exemplars, twice, once, kept):
    true = exemplars.exemplars[0].labels
    good, poor = look(true, true), look(true, half(true))
    kinds = {
        "good": [good] * 4,
        "poor": [poor] * 4,
        "mixed": [poor, good, poor, good],
        "other": [good, poor, good, good],
        "worse": [good, poor, poor, poor],
    }
    config = FitConfig(dataset="d")
    looks, single = list(kinds[twice]), list(kinds[once])
    seen = HeldOut(exemplars, config, "fp32", roi=REGION, looks=looks, single=single)
    said = seen.settle()
    gains = [a.dsc() - b.dsc() for a, b in zip(looks, single, strict=True)]
    shown = [np.mean([one.dsc() for one in kinds[name]]) for name in (twice, once)]
    assert f"{shown[0]:.1f} with the window, {shown[1]:.1f} without" in said
    assert f"standard error of the difference {np.std(gains, ddof=1) / 2:.1f})" in said
    assert said.startswith(f"region of interest: {'kept' if kept else 'not used'}, ")
    assert seen.roi == (REGION if kept else None)
    assert seen.looks == kinds[twice if kept else once]


@pytest.mark.parametrize("better", [True, False])
def test_one_exemplar_alone_decides(exemplars, better):
    true = exemplars.exemplars[0].labels
    pair = [look(true, true), look(true, half(true))]
    config = FitConfig(dataset="d")
    looks, single = (pair[:1], pair[1:]) if better else (pair[1:], pair[:1])
    seen = HeldOut(exemplars, config, "fp32", roi=REGION, looks=looks, single=single)
    assert "difference 0.0)" in seen.settle()
    assert (seen.roi is not None) == better


def test_as_long_as_nothing_was_held_out_the_window_stays(exemplars):
    seen = HeldOut(exemplars, FitConfig(dataset="d"), "fp32", roi=REGION)
    assert (seen.settle(), seen.roi) == ("", REGION)


def test_a_second_look_that_is_worse_is_done_without(learnt, exemplars, monkeypatch):
    monkeypatch.setattr(two_looks, "window_around", lambda *_: Window(0, 0, 2, 2))
    seen = HeldOut(exemplars, FitConfig(dataset="d", size=32), "fp32", roi=REGION)
    for n in range(3):
        seen.show(learnt, [n])
    single = seen.single
    assert "not used" in seen.settle()
    assert seen.roi is None
    assert seen.looks is single


def test_without_a_window_nothing_is_settled(learnt, exemplars):
    seen = held(exemplars)
    seen.show(learnt, [0])
    assert (seen.single, seen.settle(), seen.roi) == ([], "", None)


def test_a_held_out_exemplar_does_not_say_where_to_look_for_it(learnt, exemplars, monkeypatch):
    asked = []

    def look(model, images, **named):
        asked.append(named["roi"])
        return predict_slices(model, images, size=32, precision="fp32")

    monkeypatch.setattr(held_out, "segmented", look)
    seen = HeldOut(exemplars, FitConfig(dataset="d", size=32), "fp32", roi=REGION)
    seen.show(learnt, [1])
    others = [exemplars.exemplars[n] for n in range(len(exemplars)) if n != 1]
    assert asked == [REGION.expected_by(others), None]
    assert asked[0] != REGION.expected_by(exemplars.exemplars)
