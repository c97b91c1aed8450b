"""MDSAM against its formulas, computed in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plain_layers import (
    conv,
    gelu,
    group_norm,
    linear,
    relu,
    sigmoid,
    stretched,
    under,
    weights_of,
)

from samplar.config.base import build
from samplar.methods.adapted import AdaptedSam
from samplar.methods.detail import CoarseMasks, DeepBranch, DetailHead
from samplar.methods.levels import LevelSum
from samplar.methods.mdsam import Config
from samplar.methods.multi_scale import MultiScale
from samplar.methods.registry import load_method
from samplar.sam.seeded import seeded_state
from samplar.sam.weights import load_sam

BASES = pytest.mark.parametrize("base", ["tiny", "tiny-vit-sam"])


def on(base, *, classes=2, **config):
    torch.manual_seed(0)
    method = load_method("mdsam")
    return AdaptedSam(load_sam(base), method, build(Config, config), classes)


def filled(module, seed=0):
    """Give every tensor numbers of its own, norms included."""
    module.load_state_dict(seeded_state(module.state_dict(), seed=seed))
    return module


def cells(low, bins):
    """Mean over the part of the map that each of bins x bins cells covers, as a whole or not."""
    out = np.zeros((len(low), bins, bins))
    for i, j in np.ndindex(bins, bins):
        (top, bottom), (left, right) = (
            (n * side // bins, -(-(n + 1) * side // bins))
            for n, side in ((i, low.shape[1]), (j, low.shape[2]))
        )
        out[:, i, j] = low[:, top:bottom, left:right].mean(axis=(1, 2))
    return out


@pytest.mark.parametrize("grid", [(13, 14), (8, 8), (5, 3)])  # more cells than the grid has, too
@torch.no_grad()
def test_the_adapter_is_what_its_formulas_say(grid):
    layer = filled(MultiScale(24, start="random"))
    assert layer.down.weight.shape == (8, 24)
    w, x = weights_of(layer), torch.randn(1, *grid, 24, generator=torch.Generator().manual_seed(0))
    tokens = x[0].double().numpy()
    low = np.zeros((8, *grid))
    for place in np.ndindex(grid):
        low[(slice(None), *place)] = gelu(linear(tokens[place], w, "down"))
    parts = [gelu(conv(low, w, "near", pad=1))]
    for n, bins in enumerate((3, 6, 9, 12)):
        seen = gelu(conv(cells(low, bins), w, f"coarse.{n}.0"))
        seen = gelu(conv(seen, w, f"coarse.{n}.2"))
        assert seen.shape == (2, bins - 2, bins - 2)
        parts.append(stretched(seen, grid, corners=True))
    found = gelu(conv(np.concatenate(parts), w, "join"))
    for place in np.ndindex(grid):
        tokens[place] += linear(found[(slice(None), *place)], w, "up")
    np.testing.assert_allclose(layer(x)[0], tokens, rtol=0, atol=1e-5)


@torch.no_grad()
def test_an_adapter_that_starts_at_zero_changes_nothing():
    x = torch.randn(2, 4, 4, 24)
    assert torch.equal(MultiScale(24, start="zero")(x), x)
    assert not torch.equal(MultiScale(24, start="random")(x), x)


def conv_norm(x, w, act, *, pad=0):
    return act(group_norm(conv(x, w, "0", pad=pad), w, "1"))


@pytest.mark.parametrize("fused", [False, True])
@torch.no_grad()
def test_levels_are_weighed_by_themselves_or_by_all(fused):
    torch.manual_seed(0)
    layer = filled(LevelSum(16, 2, fused=fused))
    maps = [torch.randn(1, 16, 3, 4) for _ in range(2)]
    arrays, w = [m[0].double().numpy() for m in maps], weights_of(layer)
    whole = conv_norm(np.concatenate(arrays), under(w, "whole"), relu)
    total = 0
    for n, level in enumerate(arrays):
        seen = conv_norm(whole if fused else level, under(w, f"weigh.{n}"), relu)
        total = total + level * (1 + sigmoid(seen.mean(axis=(1, 2))))[:, None, None]
    np.testing.assert_allclose(layer(maps)[0], total, rtol=0, atol=1e-5)


def blurred(m):
    """Mean of 3 x 3; beyond the border zeros are counted."""
    padded = np.pad(m, ((0, 0), (1, 1), (1, 1)))
    out = np.zeros_like(m)
    for i, j in np.ndindex(m.shape[1:]):
        out[:, i, j] = padded[:, i : i + 3, j : j + 3].sum(axis=(1, 2)) / 9
    return out


def mask_head(x, w):
    return conv(conv_norm(x, under(w, "0"), relu, pad=1), w, "1")


def detail_by_hand(features, deep, image, w):
    x = conv_norm(np.concatenate([features, deep]), under(w, "both"), relu, pad=1)
    for n in range(2):
        size = (2 * x.shape[1], 2 * x.shape[2])
        wide = stretched(x, size, corners=False)
        x = conv_norm(wide, under(w, f"finer.{n}"), relu, pad=1)
    shown = conv_norm(image, under(w, "image"), relu, pad=1)
    edges = under(w, "edges")
    m = conv_norm(shown, under(edges, "start"), sigmoid)
    found = [m]
    for n in range(3):
        m = conv_norm(blurred(m), under(edges, f"blurred.{n}"), sigmoid)
        sharp = conv_norm(m - blurred(m), under(edges, f"sharp.{n}"), sigmoid)
        found.append(m + sharp)
    enhanced = conv_norm(np.concatenate(found), under(edges, "end"), relu) + shown
    joined = conv_norm(np.concatenate([x, enhanced]), under(w, "join"), relu, pad=1)
    return mask_head(joined, under(w, "masks"))


@torch.no_grad()
def test_the_detail_head_is_what_its_formulas_say():
    torch.manual_seed(0)
    head = filled(DetailHead(8, 2))
    given = torch.randn(2, 8, 2, 3), torch.randn(2, 32, 2, 3), torch.rand(2, 3, 8, 12)
    found = head(*given)
    for n in range(2):
        expected = detail_by_hand(*(x[n].double().numpy() for x in given), weights_of(head))
        np.testing.assert_allclose(found[n], expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_deep_branch_enlarges_four_times():
    torch.manual_seed(0)
    branch = filled(DeepBranch(32, 1))
    level = torch.randn(1, 32, 2, 3)
    x, w = level[0].double().numpy(), weights_of(branch)
    for name, size in (("first", (4, 6)), ("second", (8, 12))):
        x = conv_norm(stretched(x, size, corners=False), under(w, name), relu, pad=1)
    np.testing.assert_allclose(branch(level)[0], x, rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        branch.masks(branch(level))[0], mask_head(x, under(w, "masks")), rtol=0, atol=1e-5
    )


@torch.no_grad()
def test_legacy_asks_with_the_learnt_token():
    features, told = torch.randn(2, 4, 5, 5), torch.randn(2, 3, 32)
    for legacy in (False, True):
        masks = filled(CoarseMasks(32, 3, legacy=legacy))
        found = masks(told, features)
        for n, k in np.ndindex(2, 3):
            token = masks.tokens.weight[k] if legacy else told[n, k]
            expected = torch.einsum("c,cij->ij", masks.networks[k](token), features[n])
            torch.testing.assert_close(found[n, k], expected, rtol=0, atol=1e-5)


def outputs(model, samples):
    prefix, chance = model.prefix(samples.images), torch.Generator().manual_seed(0)
    (part,) = model.passes(prefix, samples.images, samples.labels, chance=chance)
    return part


@BASES
def test_legacy_changes_the_coarse_mask_alone(base, phantoms):
    samples = phantoms()
    fixed, legacy = (outputs(on(base, legacy=old), samples) for old in (False, True))
    assert torch.equal(fixed.logits, legacy.logits)
    assert not torch.equal(fixed.also[0].logits, legacy.also[0].logits)


@BASES
def test_outputs_have_the_size_of_the_image_and_their_weights(base, phantoms):
    samples = phantoms()
    plain = outputs(on(base), samples)
    assert plain.logits.shape == plain.also[0].logits.shape == (2, 3, 32, 32)
    assert [other.weight for other in plain.also] == [1.0]
    deep = outputs(on(base, coarse=0.0, deep=0.5), samples)
    assert [other.weight for other in deep.also] == [0.5]
    assert not plain.logits[:, 0].any()


@BASES
def test_what_is_new_learns_ten_times_faster(base):
    model = on(base)
    slow = {name for name, rate in model.rates.items() if rate == 0.1}
    assert {name.split(".")[1] for name in slow} == {
        "neck",
        "necks",
        "transformer",
        "iou_token",
        "output_upscaling",
    }
    assert {rate for name, rate in model.rates.items() if name not in slow} == {1.0}


@BASES
@torch.no_grad()
def test_necks_begin_as_sams_own(base, phantoms):
    model = on(base)
    necks, own = model.sam.image_encoder.necks, model.sam.image_encoder.neck
    assert len(necks) == 3
    for neck in necks:
        assert torch.equal(neck[2].weight, own[2].weight)
        assert neck[2].weight is not own[2].weight
        if neck[0].weight.shape == own[0].weight.shape and base == "tiny-vit-sam":
            assert torch.equal(neck[0].weight, own[0].weight)


@BASES
@torch.no_grad()
def test_the_image_is_told_nothing_of_a_missing_prompt(base, phantoms):
    """SAM adds the embedding of "no mask"; the published code does not."""
    images, model = phantoms().images, on(base)
    before = model(model.prefix(images), images)
    model.sam.prompt_encoder.no_mask_embed.weight.add_(1)
    assert torch.equal(model(model.prefix(images), images), before)
    model.sam.prompt_encoder.no_mask_embed.weight.sub_(1)


@BASES
@torch.no_grad()
def test_the_deep_branch_sees_the_last_level_unweighed(base, phantoms):
    images, model = phantoms().images, on(base)
    seen = []
    deep = model.sam.mask_decoder.deep
    handle = deep.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    embedding = model.embed(model.prefix(images))
    model(model.prefix(images), images)
    handle.remove()
    assert torch.equal(seen[0], embedding)


def test_with_few_blocks_the_frozen_part_ends_at_the_first_tap():
    model = on("tiny-vit-sam", blocks="last:1")
    names = [name for name, _ in model.sam.steps()]
    assert names[model.prefix_steps - 1] == "image_encoder.blocks.0"
