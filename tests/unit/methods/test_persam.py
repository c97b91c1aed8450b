from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from samplar.errors import UsageError
from samplar.methods import persam
from samplar.methods.asking import ABSENT, class_logits
from samplar.methods.cascade import best_of_three, refine, tight_boxes
from samplar.methods.contract import Batch
from samplar.methods.pointing import ask_boxes, ask_points, find_priors
from samplar.methods.registry import cards
from samplar.sam.guidance import Guidance
from samplar.sam.prompt import Prompts


def kept(sam, exemplars, **config):
    with torch.no_grad():
        return persam.remember(sam, persam.Config(**config), exemplars)


def test_is_no_oracle_and_trains_nothing():
    card = cards()["persam"]
    assert not card.oracle
    assert not card.trains


def test_the_target_is_the_mean_feature_of_covered_cells(tiny_sam, batch):
    exemplars = batch(1)
    target = kept(tiny_sam, exemplars)["target"]
    for index in (1, 2):
        share = F.avg_pool2d((exemplars.labels == index).float()[:, None], 4)[0, 0]
        expected = exemplars.embedding[0][:, share >= 0.5].mean(dim=1)
        torch.testing.assert_close(target[index - 1], expected)


def test_several_exemplars_count_the_same_and_only_where_they_show_the_class(tiny_sam, batch):
    exemplars = batch(3)
    exemplars.labels[1][exemplars.labels[1] == 2] = 0
    whole = kept(tiny_sam, exemplars)["target"]
    singles = [kept(tiny_sam, part(exemplars, n))["target"] for n in range(3)]
    torch.testing.assert_close(whole[0], (singles[0] + singles[1] + singles[2])[0] / 3)
    torch.testing.assert_close(whole[1], (singles[0] + singles[2])[1] / 2)
    assert not singles[1][1].any()


def part(batch, number):
    one = slice(number, number + 1)
    return Batch(batch.images[one], batch.embedding[one], batch.labels[one], batch.classes)


@pytest.mark.parametrize("legacy", [False, True])
@torch.no_grad()
def test_three_passes_written_out(tiny_sam, batch, legacy):
    memory = kept(tiny_sam, batch(1), legacy=legacy)
    asked_of = batch(2, seed=1)
    found = persam.logits(tiny_sam, persam.Config(legacy=legacy), asked_of, memory)
    targets, masks = memory["target"], []
    for image in range(2):
        one = part(asked_of, image)
        for k in range(2):
            [prior] = find_priors(one, F.normalize(targets[k : k + 1], dim=1))
            points = torch.stack([prior.most(), prior.least()], dim=1)
            labels = torch.tensor([[1, 0]])
            nudge = Guidance(prior.bias(legacy=legacy), targets[k : k + 1], legacy)
            first = tiny_sam.decode(one.embedding, Prompts(points, labels), nudge)[0][:, :1]
            second = best_of_three(
                *tiny_sam.decode(one.embedding, Prompts(points, labels, None, first))
            )
            asked = ask_points(part(asked_of, image), [prior], outside=True)
            boxes = tight_boxes(second, asked)
            third = best_of_three(
                *tiny_sam.decode(one.embedding, Prompts(points, labels, boxes, second))
            )
            masks.append(third[0, 0])
    rows = torch.tensor([0, 0, 1, 1]), torch.tensor([1, 2, 1, 2])
    expected = class_logits(torch.stack(masks), *rows, images=2, classes=2)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert not found[:, 0].any()


@torch.no_grad()
def test_legacy_makes_a_difference(tiny_sam, batch):
    memory, asked_of = kept(tiny_sam, batch(1)), batch(1, seed=1)
    plain, legacy = (
        persam.logits(tiny_sam, persam.Config(legacy=flag), asked_of, memory)
        for flag in (False, True)
    )
    assert (plain - legacy)[:, 1:].abs().max() > 1e-4


@torch.no_grad()
def test_a_class_that_no_exemplar_shows_is_absent(tiny_sam, batch):
    exemplars = dataclasses.replace(batch(1), classes=3)
    for config in ({}, {"prompt": "box"}):
        memory = kept(tiny_sam, exemplars, **config)
        assert not memory["target"][2].any()
        asked_of = dataclasses.replace(batch(2, seed=1), classes=3)
        logits = persam.logits(tiny_sam, persam.Config(**config), asked_of, memory)
        assert logits.shape == (2, 4, 32, 32)
        assert (logits[:, 3] == ABSENT).all()
        assert logits[:, 1].std() > 0


@pytest.mark.parametrize("prompt", ["points", "box"])
@torch.no_grad()
def test_an_exemplar_that_shows_nothing_gives_background(tiny_sam, batch, prompt):
    exemplars = dataclasses.replace(batch(1), labels=torch.zeros(1, 32, 32, dtype=torch.uint8))
    memory = kept(tiny_sam, exemplars, prompt=prompt)
    logits = persam.logits(tiny_sam, persam.Config(prompt=prompt), batch(2), memory)
    assert logits.shape == (2, 3, 32, 32)
    assert not logits.argmax(1).any()


def test_labels_outside_the_picture_set_no_level(tiny_sam):
    images = torch.zeros(1, 3, 32, 32)
    images[:, :, :16] = torch.rand(1, 3, 16, 32, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(1, 32, 32, dtype=torch.uint8)
    labels[:, 20:28, 4:12] = 1
    with torch.no_grad():
        exemplars = Batch(images, tiny_sam.encode(images), labels, 1)
    assert kept(tiny_sam, exemplars, prompt="box")["level"].tolist() == [0]


@torch.no_grad()
def test_the_box_form_written_out(tiny_sam, batch):
    exemplars, asked_of = batch(2), batch(1, seed=1)
    memory = kept(tiny_sam, exemplars, prompt="box")
    assert memory["level"].shape == (2,)
    found = persam.logits(tiny_sam, persam.Config(prompt="box"), asked_of, memory)
    priors = find_priors(asked_of, F.normalize(memory["target"], dim=1))
    asked = ask_boxes(asked_of, priors, memory["level"])
    assert asked.prompts.points is None
    nudge = Guidance(priors[0].bias(legacy=False), memory["target"])
    images = asked_of.embedding.expand(2, -1, -1, -1)
    first = tiny_sam.decode(images, asked.prompts, nudge)[0][:, :1]
    second = refine(tiny_sam, asked, first, boxes=[False])
    rows = torch.tensor([0, 0]), torch.tensor([1, 2])
    expected = class_logits(second[:, 0], *rows, images=1, classes=2)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_needs_labels(tiny_sam, batch):
    with pytest.raises(UsageError) as caught:
        kept(tiny_sam, dataclasses.replace(batch(1), labels=None))
    assert caught.value.code == "methods.labels"
