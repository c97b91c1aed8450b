from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from samplar.config.base import build
from samplar.methods.adapted import AdaptedSam
from samplar.methods.linked import ask_both, link
from samplar.methods.registry import load_method
from samplar.methods.view_decoder import ask_view
from samplar.methods.wsi_sam import passes, see
from samplar.sam.early import early_step, early_width, encode_with_early
from samplar.sam.model import NO_PROMPT
from samplar.sam.prompt import Prompts
from samplar.sam.weights import countable_sam, load_sam
from samplar.training.passes import pass_loss

BASES = ["tiny", "tiny-vit-sam"]


def model(base="tiny", classes=2, **config):
    method = load_method("wsi-sam")
    torch.manual_seed(0)
    return AdaptedSam(load_sam(base), method, build(method.config, config), classes)


@pytest.mark.parametrize(
    ("base", "total"),
    [("lite-medsam", 897_024), ("mobile-sam", 897_024), ("sam-vit-b", 2_142_208)],
)
@pytest.mark.parametrize(("prompt", "classes"), [("none", 1), ("box", 5)])
def test_what_trains_is_counted_as_in_the_specification(base, total, prompt, classes):
    method, sam = load_method("wsi-sam"), countable_sam(base).requires_grad_(False)
    method.attach(sam, build(method.config, {"prompt": prompt}), classes)
    assert sum(p.numel() for p in sam.parameters() if p.requires_grad) == total


@pytest.mark.parametrize(
    ("base", "step", "width"),
    [
        ("lite-medsam", "image_encoder.layers.1.downsample", 160),
        ("sam-vit-b", "image_encoder.blocks.2", 768),
        ("sam-vit-l", "image_encoder.blocks.5", 1024),
        ("sam-vit-h", "image_encoder.blocks.7", 1280),
    ],
)
def test_the_early_feature_is_the_published_one(base, step, width):
    sam = countable_sam(base)
    assert (early_step(sam), early_width(sam)) == (step, width)
    assert step in dict(sam.steps())


@pytest.mark.parametrize("base", BASES)
@torch.no_grad()
def test_the_early_feature_is_what_that_step_made(base, phantoms):
    sam, images, seen = load_sam(base), phantoms().images, []
    sam.get_submodule(early_step(sam)).register_forward_hook(lambda m, i, out: seen.append(out))
    embedding, early = encode_with_early(sam, images)
    assert torch.equal(early, seen[0])
    assert torch.equal(embedding, sam.encode(images))
    assert early.shape == (2, early_width(sam), *embedding.shape[-2:])


def normed(x, layer):
    mean, variance = x.mean(1, keepdim=True), x.var(1, keepdim=True, unbiased=False)
    scaled = (x - mean) / (variance + 1e-6).sqrt()
    return scaled * layer.weight[:, None, None] + layer.bias[:, None, None]


def up_twice(x, layers):
    first, norm, _, second = layers
    x = F.gelu(normed(F.conv_transpose2d(x, first.weight, first.bias, 2), norm))
    return F.conv_transpose2d(x, second.weight, second.bias, 2)


def perceptron(x, network):
    for layer in network.layers[:-1]:
        x = (x @ layer.weight.T + layer.bias).relu()
    return x @ network.layers[-1].weight.T + network.layers[-1].bias


@pytest.mark.parametrize("base", BASES)
@torch.no_grad()
def test_a_decoder_is_the_one_that_the_paper_describes(base, phantoms):
    made = model(base, classes=3, start="random")
    sam, added = made.sam, made.sam.mask_decoder.high_view
    embedding, early = encode_with_early(sam, phantoms().images)
    box = Prompts(boxes=torch.tensor([[3.0, 4.0, 20.0, 25.0], [9.0, 8.0, 30.0, 31.0]]))
    asked = ask_view(sam, added, embedding, box)
    found = added(asked.upscaled, embedding, early)

    decoder, (sparse, dense) = sam.mask_decoder, sam.encode_prompts(box, embedding)
    own = [decoder.iou_token.weight, decoder.mask_tokens.weight, added.tokens.weight]
    tokens = torch.cat([torch.cat(own).repeat(2, 1, 1), sparse], dim=1)
    grid = embedding.shape[-2:]
    place = sam.prompt_encoder.pe_layer.grid(*grid).flatten(2).transpose(1, 2)
    cells = (embedding + dense).flatten(2).transpose(1, 2)
    told, cells = decoder.transformer(cells, place, tokens)
    fine = decoder.output_upscaling(cells.transpose(1, 2).unflatten(2, grid))
    first, norm, _, second = added.refine
    refined = F.gelu(normed(F.conv2d(fine, first.weight, first.bias, padding=1), norm))
    refined = F.conv2d(refined, second.weight, second.bias, padding=1)
    features = refined + up_twice(embedding, added.embed) + up_twice(early, added.compress)
    wanted = [perceptron(told[:, 5 + k], added.networks[k]) for k in range(3)]
    torch.testing.assert_close(asked.wanted, torch.stack(wanted, 1), rtol=0, atol=1e-5)
    torch.testing.assert_close(found, features, rtol=0, atol=1e-5)
    plain = perceptron(told[:, 1], decoder.output_hypernetworks_mlps[0])
    torch.testing.assert_close(asked.own[:, 0], plain, rtol=0, atol=1e-5)
    torch.testing.assert_close(asked.upscaled, fine, rtol=0, atol=1e-5)


@pytest.mark.parametrize("legacy", [False, True])
@torch.no_grad()
def test_the_tokens_of_both_views_are_added_and_compared_with_the_pixels_of_each(legacy, phantoms):
    made, images = model(start="random", prompt="box"), phantoms().images
    sam, config = made.sam, made.config
    views = link(sam, see(sam, config, images), "around")
    box = torch.tensor([[4.0, 6.0, 21.0, 27.0], [0.0, 0.0, 31.0, 31.0]])
    own = "shared" if legacy else "apart"
    found = ask_both(sam, views, Prompts(boxes=box), own=own, low=True)
    below = Prompts(boxes=(box / 2).floor() + 8)
    width, parts = sam.mask_decoder.width, []
    for name, seen, shown in (("high", views.high, Prompts(boxes=box)), ("low", views.low, below)):
        added = sam.mask_decoder.get_submodule(f"{name}_view")
        asked = ask_view(sam, added, seen[:, :width], shown)
        pixels = added(asked.upscaled, seen[:, :width], seen[:, width:])
        shared = np.einsum("nkc,ncrs->nkrs", asked.own.numpy(), asked.upscaled.numpy())
        apart = sam.decode(seen[:, :width], shown)[0][:, :1].numpy()
        parts.append((asked.wanted.numpy(), pixels.numpy(), shared if legacy else apart))
        assert np.abs(shared - apart).max() > 1e-4  # SAM's tokens see the new ones
    wanted = parts[0][0] + parts[1][0]
    for logits, (_, pixels, plain) in zip((found.high, found.low), parts, strict=True):
        expected = np.einsum("nkc,ncrs->nkrs", wanted, pixels) + plain
        np.testing.assert_allclose(logits.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("base", BASES)
@torch.no_grad()
def test_with_nothing_learnt_a_box_is_answered_as_by_sam(base, phantoms):
    made, samples = model(base, prompt="box"), phantoms()
    views = link(made.sam, made.prefix(samples.images), "around")
    box = Prompts(boxes=torch.tensor([[4.0, 6.0, 21.0, 27.0]] * 2))
    found = ask_both(made.sam, views, box, own="apart", low=False)
    assert torch.equal(found.high, load_sam(base).decode(views.high[:, :32], box)[0][:, :1])
    away = model(base, prompt="box", start="random")
    moved = ask_both(away.sam, views, box, own="apart", low=False)
    assert (moved.high - found.high).abs().max() > 1e-3


@torch.no_grad()
def test_what_an_image_is_seen_as_is_its_high_views_and_then_its_wider_one(phantoms):
    images, made = phantoms(size=64).images, model(views="inside")
    seen = made.prefix(images).unflatten(1, (5, -1))[:, :, :32]
    sam = load_sam("tiny")
    quarter = sam.encode(images[1:, :, 32:, :32])
    torch.testing.assert_close(seen[1:, 2], quarter, rtol=0, atol=1e-5)
    half = F.interpolate(images, (32, 32), mode="bilinear", antialias=True)
    torch.testing.assert_close(seen[:, 4], sam.encode(half), rtol=0, atol=1e-5)


@pytest.mark.parametrize("views", ["around", "inside"])
@pytest.mark.parametrize("base", BASES)
def test_frames_of_any_side_and_boxes_come_back_on_their_own_pixels(base, views, phantoms):
    samples, made = phantoms(size=36), model(base, views=views, prompt="box", points=40, masks=2)
    prefix = made.prefix(samples.images)
    with torch.no_grad():
        assert made(prefix, samples.images, samples.labels).shape == (2, 3, 36, 36)
    part = next(made.passes(prefix, samples.images, samples.labels, chance=generator()))
    assert part.logits.shape[2:] == (40, 1)
    assert set(part.labels.unique().tolist()) <= {0, 1, 255}


@pytest.mark.parametrize("config", [{}, {"legacy": True}, {"points": 30}, {"views": "inside"}])
def test_with_boxes_everything_learns_and_a_step_lowers_the_loss(config, phantoms):
    samples, made = phantoms(), model(prompt="box", start="random", **config)
    given = (made.prefix(samples.images), samples.images, samples.labels)
    losses = []
    for _ in range(4):
        (part,) = made.passes(*given, chance=generator())
        losses.append(pass_loss(part, made.loss))
        made.zero_grad()
        losses[-1].backward()
        assert all(p.grad is not None and p.grad.any() for p in made.trained().values())
        with torch.no_grad():
            for parameter in made.trained().values():
                parameter.sub_(0.03 * parameter.grad)
    assert losses[-1] < losses[0]


def generator():
    return torch.Generator().manual_seed(0)


def test_the_wider_view_is_learnt_from_where_its_labels_are_known(phantoms):
    samples = phantoms()
    both, one = model(), model(low_loss=False)
    given = (samples.images, samples.labels)
    part = next(both.passes(both.prefix(given[0]), *given, chance=generator()))
    assert len(part.logits) == 4
    assert torch.equal(part.labels[:2], samples.labels)
    assert (part.labels[2:, :8] == 255).all()
    assert (part.labels[2:, 8:24, 8:24] != 255).all()
    assert torch.equal(part.labels[2:, 8:24, 8:24], samples.labels[:, 1::2, 1::2])
    alone = next(one.passes(one.prefix(given[0]), *given, chance=generator()))
    assert torch.equal(alone.labels, samples.labels)


def test_without_a_prompt_the_background_has_logit_zero(phantoms):
    images = phantoms().images
    made = model(start="random", classes=3)
    with torch.no_grad():
        found = made(made.prefix(images), images)
        views = link(made.sam, made.prefix(images), "around")
        asked = ask_both(made.sam, views, NO_PROMPT, own="none", low=False)
    assert not found[:, 0].any()
    assert torch.equal(found[:, 1:], asked.high)


def test_passes_are_for_training(phantoms):
    samples, made = phantoms(), model()
    batch = made._batch(made.prefix(samples.images), samples.images, samples.labels)
    with pytest.raises(ValueError, match="for training"):
        next(passes(made.sam, made.config, batch, {}))
