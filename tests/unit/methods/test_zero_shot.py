from __future__ import annotations

import pytest
import torch

from samplar.methods.asking import ABSENT, class_logits
from samplar.methods.automatic import Sieve, automatic_masks
from samplar.methods.oracle_prompts import box_prompts, point_prompts
from samplar.methods.registry import cards
from samplar.methods.zero_shot import best_match
from samplar.sam.prompt import Prompts

EASY = {"grid": 4, "sure": -1.0, "stable": 0.0, "overlap": 1.0}
"""Keeps every automatic mask: made-up weights are never sure."""


def test_is_marked_as_an_oracle():
    assert cards()["zero-shot"].oracle


@pytest.mark.parametrize("kind", ["box", "points"])
@torch.no_grad()
def test_each_class_that_is_there_gets_sams_own_mask(adapted, phantoms, tiny_sam, kind):
    samples = phantoms()
    model = adapted("zero-shot", prompt=kind, inside=2, outside=1, classes=3)
    samples.labels[1][samples.labels[1] == 1] = 255
    logits = model(model.prefix(samples.images), samples.images, samples.labels)
    embedding = tiny_sam.encode(samples.images)
    assert logits.shape == (2, 4, 32, 32)
    assert not logits[:, 0].any()
    assert (logits[:, 3] == ABSENT).all()
    assert (logits[1, 1] == ABSENT).all()
    own, asked = [], ((0, 1), (0, 2), (1, 2))
    for image, index in asked:
        truth = (samples.labels[image] == index)[None]
        others = ~truth & (samples.labels[image] != 255)
        if kind == "box":
            prompts = box_prompts(truth)
        else:
            prompts = point_prompts(truth, others, inside=2, outside=1)
        masks, _ = tiny_sam.decode(embedding[image : image + 1], prompts)
        own.append(masks[0, 0])
    expected = class_logits(torch.stack(own), *torch.tensor(asked).T, images=2, classes=3)
    torch.testing.assert_close(logits, expected)
    assert logits[0, 1].std() > 0


@pytest.mark.parametrize("kind", ["box", "points", "automatic"])
@torch.no_grad()
def test_labels_without_any_class_give_background(adapted, phantoms, kind):
    samples, model = phantoms(), adapted("zero-shot", prompt=kind, grid=2)
    logits = model(model.prefix(samples.images), samples.images, torch.zeros_like(samples.labels))
    assert logits.shape == (2, 3, 32, 32)
    assert not logits.argmax(1).any()


def test_the_prompt_makes_a_difference(tiny_sam, phantoms):
    embedding = tiny_sam.encode(phantoms(1).images)
    first = tiny_sam.decode(embedding, Prompts(boxes=torch.tensor([[1.0, 1.0, 9.0, 9.0]])))[0]
    other = tiny_sam.decode(embedding, Prompts(boxes=torch.tensor([[9.0, 9.0, 30.0, 30.0]])))[0]
    assert (first - other).abs().max() > 1e-3


@torch.no_grad()
def test_of_the_automatic_masks_each_class_gets_the_best(adapted, phantoms, tiny_sam):
    samples = phantoms()
    model = adapted("zero-shot", prompt="automatic", **EASY)
    logits = model(model.prefix(samples.images), samples.images, samples.labels)
    chosen = []
    for image in range(2):
        embedding = tiny_sam.encode(samples.images[image : image + 1])
        found = automatic_masks(tiny_sam, embedding, size=32, content=(32, 32), sieve=Sieve(**EASY))
        assert len(found.masks) > 10
        for index in (1, 2):
            truth = samples.labels[image] == index
            ious = [float((m & truth).sum() / (m | truth).sum()) for m in found.masks]
            chosen.append(found.logits[max(range(len(ious)), key=ious.__getitem__)])
    rows = torch.tensor([0, 0, 1, 1]), torch.tensor([1, 2, 1, 2])
    expected = class_logits(torch.stack(chosen), *rows, images=2, classes=2)
    torch.testing.assert_close(logits, expected)


@torch.no_grad()
def test_no_automatic_mask_no_class(adapted, phantoms):
    samples = phantoms()
    model = adapted("zero-shot", prompt="automatic", grid=2, sure=1.0)
    logits = model(model.prefix(samples.images), samples.images, samples.labels)
    assert (logits[:, 1:] == ABSENT).all()


def test_the_best_match_by_hand():
    truth = torch.zeros(4, 4, dtype=torch.bool)
    truth[:2, :2] = True
    known = torch.ones_like(truth)
    masks = torch.zeros(3, 4, 3, dtype=torch.bool)  # the image is one column narrower
    masks[0, :2] = True  # 4 of 6
    masks[1, :3, :2] = True  # 4 of 6, too, but for what is not labelled below
    masks[2, 3] = True
    assert best_match(masks, truth, known) == 0
    known[2] = False
    assert best_match(masks, truth, known) == 1
    assert best_match(masks[2:], truth, known) is None
    assert best_match(masks[:0], truth, known) is None
