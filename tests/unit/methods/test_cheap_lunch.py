from __future__ import annotations

import copy

import pytest
import torch

from samplar.config.base import build
from samplar.errors import UsageError
from samplar.methods.cheap_lunch import Config
from samplar.methods.class_points import drawn_points, own_points, true_points
from samplar.training.losses import segmentation_loss


def run(model, samples, *, labels=None, chance=None):
    return model(model.prefix(samples.images), samples.images, labels, chance=chance)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def moved(model, seed=1):
    """Give every trained tensor other values, so that nothing is zero by construction."""
    generator = chance(seed)
    with torch.no_grad():
        for parameter in model.trained().values():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize("train", ["all-class", "per-class", "none"])
@torch.no_grad()
def test_outside_training_the_labels_are_not_looked_at(adapted, phantoms, train):
    samples = phantoms()
    model = moved(adapted("cheap-lunch", train_prompts=train))
    assert not model.oracle
    blind, seeing = run(model, samples), run(model, samples, labels=samples.labels)
    assert torch.equal(blind, seeing)
    assert blind.shape == (2, 3, 32, 32)


@torch.no_grad()
def test_without_prompts_it_decodes_as_samed_s_does(adapted, phantoms):
    samples, model = phantoms(), moved(adapted("cheap-lunch"))
    expected, _ = model.sam.decode(model.embed(model.prefix(samples.images)))
    assert torch.equal(run(model, samples), expected)


@torch.no_grad()
def test_all_classes_are_pointed_at_in_one_pass(adapted, phantoms):
    samples = phantoms()
    model = moved(adapted("cheap-lunch", point_share=1, points=2))
    found = run(model, samples, labels=samples.labels, chance=chance(5))
    generator = chance(5)
    torch.rand((), generator=generator)
    points = drawn_points(samples.labels, 2, count=2, chance=generator)
    embedding = model.embed(model.prefix(samples.images))
    for image in range(2):
        one = points.together()
        prompts = type(one)(
            points=one.points[image : image + 1], labels=one.labels[image : image + 1]
        )
        expected, _ = model.sam.decode(embedding[image : image + 1], prompts)
        torch.testing.assert_close(found[image], expected[0], rtol=0, atol=1e-5)
    assert (found - run(model, samples)).abs().max() > 1e-3


@torch.no_grad()
def test_points_are_given_in_the_stated_share_of_the_steps(adapted, phantoms):
    samples, model = phantoms(1), moved(adapted("cheap-lunch", point_share=0.25))
    blind = run(model, samples)
    steps = [run(model, samples, labels=samples.labels, chance=chance(s)) for s in range(60)]
    without = sum(torch.equal(step, blind) for step in steps)
    assert 35 <= without <= 54  # 45 expected
    never = adapted("cheap-lunch", train_prompts="none")
    assert torch.equal(
        run(never, samples, labels=samples.labels, chance=chance()), run(never, samples)
    )


def test_a_step_repeats_with_its_own_chance_and_no_other(adapted, phantoms):
    samples = phantoms()
    model = moved(adapted("cheap-lunch", point_share=1))
    first, again, other = (
        run(model, samples, labels=samples.labels, chance=chance(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("train", ["all-class", "per-class"])
@torch.no_grad()
def test_the_locator_asks_again_with_its_own_points(adapted, phantoms, train):
    samples = phantoms()
    given = {"train_prompts": train, "classes": 2}
    model = moved(adapted("cheap-lunch", test_prompts="locator", **given))
    assert model.method.prompted(model.config) == "its own points"
    assert not model.oracle
    blind = moved(adapted("cheap-lunch", **given))
    points = own_points(run(blind, samples), torch.ones_like(samples.labels, dtype=torch.bool))
    assert points.given.any()
    found = run(model, samples)
    assert (found - run(blind, samples)).abs().max() > 1e-4
    if train == "all-class":
        embedding = model.embed(model.prefix(samples.images))
        assert torch.equal(found, model.sam.decode(embedding, points.together())[0])


@pytest.mark.parametrize("train", ["all-class", "per-class"])
@torch.no_grad()
def test_the_oracle_points_at_the_truth_and_says_so(adapted, phantoms, train):
    samples = phantoms()
    model = moved(adapted("cheap-lunch", train_prompts=train, test_prompts="oracle"))
    assert model.oracle
    assert model.method.prompted(model.config) == "oracle points"
    found = run(model, samples, labels=samples.labels)
    assert torch.isfinite(found).all()
    if train == "all-class":
        embedding = model.embed(model.prefix(samples.images))
        prompts = true_points(samples.labels, 2).together()
        assert torch.equal(found, model.sam.decode(embedding, prompts)[0])
    with pytest.raises(UsageError) as caught:
        run(model, samples)
    assert caught.value.code == "methods.oracle"


def test_class_by_class_each_has_a_vector_and_two_mask_tokens(adapted):
    model = adapted("cheap-lunch", train_prompts="per-class", classes=5)
    trained = model.trained()
    assert trained["prompt_encoder.class_embed.weight"].shape == (5, 32)
    assert trained["mask_decoder.mask_tokens.weight"].shape == (2, 32)
    one = {n: p.shape for n, p in adapted("samed-s", classes=1).trained().items()}
    rest = {n: p.shape for n, p in trained.items() if n != "prompt_encoder.class_embed.weight"}
    assert rest == one


@torch.no_grad()
def test_class_by_class_a_score_is_the_lead_of_it_over_not_it(adapted, phantoms):
    samples = phantoms()
    model = moved(adapted("cheap-lunch", train_prompts="per-class", classes=3))
    found = run(model, samples)
    assert found.shape == (2, 4, 32, 32)
    assert not found[:, 0].any()
    sam = model.sam
    embedding = model.embed(model.prefix(samples.images))
    not_a_point = sam.prompt_encoder.not_a_point_embed.weight[0]
    vector = sam.prompt_encoder.class_embed.weight[2]
    tokens = torch.stack([not_a_point + vector, not_a_point])[None]
    dense = sam.prompt_encoder.no_mask_embed.weight.view(1, -1, 1, 1).expand(1, -1, 8, 8)
    place = sam.prompt_encoder.pe_layer.grid(8, 8)
    masks, _ = sam.mask_decoder(embedding, place, tokens, dense)
    torch.testing.assert_close(found[:, 3], masks[:, 1] - masks[:, 0], rtol=0, atol=1e-5)
    assert (found[:, 3] - found[:, 2]).abs().max() > 1e-3


@pytest.mark.parametrize("train", ["all-class", "per-class"])
def test_with_points_their_embeddings_learn_too(adapted, phantoms, train):
    samples = phantoms()
    samples.labels[0][samples.labels[0] == 2] = 0  # so that one point is missing
    model = moved(adapted("cheap-lunch", train_prompts=train, point_share=1))
    logits = run(model, samples, labels=samples.labels, chance=chance())
    segmentation_loss(logits, samples.labels, model.loss).backward()
    reached = {n for n, p in model.trained().items() if p.grad is not None and p.grad.any()}
    assert "prompt_encoder.point_embeddings.1.weight" in reached
    assert "prompt_encoder.not_a_point_embed.weight" in reached
    assert ("prompt_encoder.class_embed.weight" in reached) == (train == "per-class")


@pytest.mark.parametrize("train", ["all-class", "per-class"])
def test_a_run_cut_short_and_resumed_ends_the_same(adapted, phantoms, taught, tmp_path, train):
    samples = phantoms(4)

    def stop(step, loss):
        if step == 4:
            raise KeyboardInterrupt

    config = {"train_prompts": train}
    whole = taught(adapted("cheap-lunch", **config), samples, iterations=9)
    given = {"iterations": 9, "folder": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        taught(adapted("cheap-lunch", **config), samples, on_step=stop, **given)
    resumed = taught(adapted("cheap-lunch", **config), samples, **given)
    state = whole.adapter_state()
    assert all(torch.equal(t, state[n]) for n, t in resumed.adapter_state().items())


def test_batches_that_show_nothing_are_finite(adapted, phantoms):
    samples = phantoms(1)
    samples.labels.fill_(255)
    for train in ("all-class", "per-class"):
        model = adapted("cheap-lunch", train_prompts=train, point_share=1)
        logits = run(model, samples, labels=samples.labels, chance=chance())
        assert torch.isfinite(logits).all()
        bare = copy.deepcopy(model)
        assert torch.equal(run(bare, samples, labels=samples.labels, chance=chance()), logits)


def test_points_at_test_time_need_points_in_training():
    with pytest.raises(UsageError, match="need train_prompts"):
        build(Config, {"train_prompts": "none", "test_prompts": "locator"})
