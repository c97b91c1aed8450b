from __future__ import annotations

import itertools

import pytest
import torch

from samplar.methods.adapted import AdaptedSam
from samplar.methods.registry import load_method
from samplar.synthesis.samples import Samples
from samplar.training import precision
from samplar.training.precision import Probe, agreement, probe_model, probe_sam


def masks(*rows: str) -> torch.Tensor:
    return torch.tensor([[[cell == "x" for cell in row]] for row in rows])


@pytest.fixture
def samples():
    chance = torch.Generator().manual_seed(0)
    labels = torch.zeros(6, 64, 64, dtype=torch.uint8)
    labels[:, 20:40, 10:30], labels[1:, 45:55, 30:60] = 1, 2
    images = (torch.rand(6, 3, 64, 64, generator=chance) / 4 + labels[:, None] / 4).float()
    return Samples(images, labels, torch.ones_like(labels, dtype=torch.bool))


@pytest.fixture
def clock(monkeypatch):
    """A clock on which the first or the second precision of each turn takes three times as long."""

    def slow(which: int) -> None:
        steps = itertools.cycle([0.0, 3.0, 0.0, 1.0] if which == 0 else [0.0, 1.0, 0.0, 3.0])
        now = itertools.accumulate(steps)
        monkeypatch.setattr(precision.time, "perf_counter", lambda: next(now))

    return slow


def test_agreement_is_the_mean_dice_of_masks_that_show_something():
    one, other = masks("xx..", "x...", "....", "...."), masks("x.x.", "x...", "....", "xxxx")
    assert agreement(one, other) == pytest.approx((0.5 + 1 + 0) / 3)
    assert agreement(one[2:3], other[2:3]) == 1


@pytest.mark.parametrize(
    ("found", "full", "half", "chosen"),
    [
        (0.996, 2.0, 1.0, "bf16"),
        (0.994, 2.0, 1.0, "fp32"),
        (1.0, 1.0, 2.0, "fp32"),
        (0.995, 2.0, 1.0, "bf16"),
    ],
)
def test_bf16_is_kept_only_if_it_agrees_and_is_faster(found, full, half, chosen):
    probe = Probe(found, full, half)
    assert probe.chosen == chosen
    assert probe.line().startswith(f"precision: {chosen};")


@pytest.mark.parametrize(("slow", "chosen"), [(0, "bf16"), (1, "fp32")])
def test_sam_itself_is_asked_with_boxes_before_training(tiny_sam, samples, clock, slow, chosen):
    clock(slow)
    decoder = tiny_sam.mask_decoder  # so that no logit is near 0
    decoder.output_upscaling[3].bias.data.add_(4)
    decoder.output_hypernetworks_mlps[0].layers[-1].bias.data.add_(2)
    probe = probe_sam(tiny_sam, samples)
    assert (probe.full, probe.half) == ((3, 1) if slow == 0 else (1, 3))
    assert probe.agreement > precision.BOUND
    assert probe.chosen == chosen


def test_masks_that_move_are_seen(tiny_sam, samples, monkeypatch):
    """bf16 that draws another mask than fp32 is given up however fast it is."""
    plain = tiny_sam.decode

    def unsteady(*given):
        logits, iou = plain(*given)
        inverted = -1 if torch.is_autocast_enabled("cpu") else 1
        return logits * inverted, iou

    monkeypatch.setattr(tiny_sam, "decode", unsteady)
    probe = probe_sam(tiny_sam, samples)
    assert probe.agreement < 0.5
    assert probe.chosen == "fp32"


def test_a_few_exemplars_are_enough(tiny_sam, samples, monkeypatch):
    seen = []
    encode = tiny_sam.encode
    monkeypatch.setattr(tiny_sam, "encode", lambda x: seen.append(len(x)) or encode(x))
    probe_sam(tiny_sam, samples)
    assert seen == [1] * (precision.TASTE * 2 * (1 + precision.TURNS))


def test_exemplars_that_show_nothing_settle_nothing_about_masks(tiny_sam, samples):
    empty = Samples(samples.images, torch.zeros_like(samples.labels), samples.valid)
    assert probe_sam(tiny_sam, empty).agreement == 1


@pytest.mark.parametrize("name", ["decoder-only", "zero-shot", "cheap-lunch"])
def test_the_trained_model_is_asked_class_by_class(tiny_sam, samples, name):
    method = load_method(name)
    model = AdaptedSam(tiny_sam, method, method.config(), 2)
    before = {key: tensor.clone() for key, tensor in model.adapter_state().items()}
    assert 0 <= probe_model(model, samples).agreement <= 1
    assert all(torch.equal(before[key], t) for key, t in model.adapter_state().items())
