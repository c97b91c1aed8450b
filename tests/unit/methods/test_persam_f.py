from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from samplar.errors import UsageError
from samplar.methods import persam_f
from samplar.methods.asking import ABSENT, class_logits
from samplar.methods.cascade import refine
from samplar.methods.contract import Batch
from samplar.methods.mask_weights import fit_weights, weighted
from samplar.methods.pointing import ask_points, find_priors
from samplar.sam.prompt import Prompts

QUICK = {"steps": 30, "rate": 1e-2}


def kept(sam, exemplars, **config):
    with torch.no_grad():
        return persam_f.remember(sam, persam_f.Config(**{**QUICK, **config}), exemplars)


def test_the_target_is_half_mean_and_half_largest(tiny_sam, batch):
    exemplars = batch(1)
    target = kept(tiny_sam, exemplars)["target"]
    for index in (1, 2):
        share = F.avg_pool2d((exemplars.labels == index).float()[:, None], 4)[0, 0]
        cells = exemplars.embedding[0][:, share >= 0.5]
        expected = F.normalize(cells.mean(dim=1) / 2 + cells.amax(dim=1) / 2, dim=0)
        torch.testing.assert_close(target[index - 1], expected)


@torch.no_grad()
def test_the_numbers_are_those_of_the_exemplars_own_points(tiny_sam, batch):
    exemplars = batch(2)
    exemplars.labels[1][exemplars.labels[1] == 2] = 0  # one exemplar shows class 2
    exemplars.labels[0, :3] = 255
    memory = kept(tiny_sam, exemplars)
    for k, shows in enumerate(([0, 1], [0])):
        masks, truth, known = [], [], []
        for n in shows:
            one = slice(n, n + 1)
            single = Batch(exemplars.images[one], exemplars.embedding[one], None, 2)
            [prior] = find_priors(single, memory["target"][k : k + 1])
            point = Prompts(prior.most()[:, None], torch.ones(1, 1, dtype=torch.long))
            masks.append(tiny_sam.decode(single.embedding, point)[0][:, 1:])
            truth.append(exemplars.labels[one] == 1 + k)
            known.append(exemplars.labels[one] != 255)
        given = (
            torch.cat(part).flatten(start) for part, start in ((masks, 2), (truth, 1), (known, 1))
        )
        expected = fit_weights(*given, **QUICK)
        torch.testing.assert_close(memory["weights"][k], expected, rtol=0, atol=1e-4)
    assert (memory["weights"] - 1 / 3).abs().max() > 1e-2


@torch.no_grad()
def test_passes_written_out(tiny_sam, batch):
    memory, asked_of = kept(tiny_sam, batch(1)), batch(2, seed=1)
    found = persam_f.logits(tiny_sam, persam_f.Config(), asked_of, memory)
    asked = ask_points(asked_of, find_priors(asked_of, memory["target"]), outside=False)
    three = tiny_sam.decode(asked_of.embedding[asked.image], asked.prompts)[0][:, 1:]
    first = weighted(three, memory["weights"].repeat(2, 1))
    masks = refine(tiny_sam, asked, first, boxes=[True, True])[:, 0]
    rows = torch.tensor([0, 0, 1, 1]), torch.tensor([1, 2, 1, 2])
    expected = class_logits(masks, *rows, images=2, classes=2)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert asked.prompts.points.shape == (4, 1, 2)


@torch.no_grad()
def test_a_class_that_no_exemplar_shows_is_absent(tiny_sam, batch):
    memory = kept(tiny_sam, dataclasses.replace(batch(1), classes=3))
    assert not memory["target"][2].any()
    assert memory["weights"][2].tolist() == pytest.approx([1 / 3, 1 / 3])
    asked_of = dataclasses.replace(batch(1, seed=1), classes=3)
    logits = persam_f.logits(tiny_sam, persam_f.Config(), asked_of, memory)
    assert (logits[:, 3] == ABSENT).all()


def test_the_schedule_is_the_published_one_unless_set(tiny_sam, batch):
    config = persam_f.Config()
    assert (config.steps, config.rate) == (1000, 1e-3)
    exemplars = batch(1)
    few, more = (kept(tiny_sam, exemplars, steps=n)["weights"] for n in (1, 30))
    assert (few - 1 / 3).abs().max() < 0.0101
    assert (more - few).abs().max() > 0.05


def test_needs_labels(tiny_sam, batch):
    with pytest.raises(UsageError) as caught:
        kept(tiny_sam, dataclasses.replace(batch(1), labels=None))
    assert caught.value.code == "methods.labels"
