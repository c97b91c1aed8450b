"""Medical SAM Adapter against its formulas, computed cell by cell in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from samplar.config.base import build
from samplar.errors import UsageError
from samplar.methods.adapted import AdaptedSam
from samplar.methods.hyper_prompt import HyperPrompt
from samplar.methods.med_sa import Config
from samplar.methods.registry import load_method
from samplar.sam.model import Sam, SamShape
from samplar.sam.seeded import seeded_state
from samplar.sam.vit import ViTShape
from samplar.sam.weights import load_sam

WIDTH, HEADS, WINDOW, SIDE = 8, 2, 4, 6
SHAPE = ViTShape(
    width=WIDTH, depth=2, heads=HEADS, global_blocks=(1,), window=WINDOW, patch=4, grid=6, output=8
)


def on_small_vit(**config):
    sam = Sam(SamShape(encoder=SHAPE, decoder_hidden=16, image_size=24))
    sam.load_state_dict(seeded_state(sam.state_dict(), seed=3))
    model = AdaptedSam(sam, load_method("med-sa"), build(Config, {"start": "random", **config}), 1)
    model.load_adapter_state(seeded_state(model.trained(), seed=4), path="made up")
    return model


def norm(x, weights, name):
    x = (x - x.mean()) / math.sqrt(x.var() + 1e-6)
    return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x, weights, name):
    return weights[f"{name}.weight"] @ x + weights[f"{name}.bias"]


def gelu(x):
    return np.array([v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x])


def adapter(x, weights, name):
    return linear(gelu(linear(x, weights, f"{name}.down")), weights, f"{name}.up")


def attended(cells, weights, window, *, positions):
    """Attention among the cells {(row, column): vector} of one window."""
    width = WIDTH // HEADS
    qkv = {place: linear(x, weights, "attn.base.qkv") for place, x in cells.items()}
    out = {}
    for (i, j), own in qkv.items():
        heads = []
        for head in range(HEADS):
            part = slice(head * width, (head + 1) * width)
            q = own[part]
            scores = []
            for (k, m), other in qkv.items():
                score = q @ other[WIDTH : 2 * WIDTH][part] / math.sqrt(width)
                if positions:
                    score += q @ weights["attn.base.rel_pos_h"][i - k + window - 1]
                    score += q @ weights["attn.base.rel_pos_w"][j - m + window - 1]
                scores.append(score)
            shares = np.exp(np.array(scores) - max(scores))
            shares /= shares.sum()
            values = [other[2 * WIDTH :][part] for other in qkv.values()]
            heads.append(sum(s * v for s, v in zip(shares, values, strict=True)))
        out[i, j] = linear(np.concatenate(heads), weights, "attn.base.proj")
    return out


def windows_of(x, weights, side, *, legacy):
    """Return the windows of one slice: where each begins, and its normed cells with the padding."""
    beyond = weights["norm1.bias"] if legacy else np.zeros(WIDTH)
    found = []
    for top in range(0, SIDE, side):
        for left in range(0, SIDE, side):
            cells = {}
            for i in range(side):
                for j in range(side):
                    inside = top + i < SIDE and left + j < SIDE
                    cells[i, j] = norm(x[top + i, left + j], weights, "norm1") if inside else beyond
            found.append((top, left, cells))
    return found


def across(group, weights):
    """Attention among a few vectors without positions: what each of them becomes."""
    cells = {(0, n): x for n, x in enumerate(group)}
    return list(attended(cells, weights, len(group), positions=False).values())


def block_by_hand(slices, weights, window, *, legacy):
    """Return what the published description makes of the tokens of some slices of one sample."""
    side, count, deep = window or SIDE, len(slices), "attn.depth.up.bias" in weights
    space = "attn.space" if deep else "attn.added"
    cut = [windows_of(x, weights, side, legacy=legacy) for x in slices]
    flat = [(s, *w) for s, windows in enumerate(cut) for w in windows]
    out = [np.array(x) for x in slices]
    for place, (s, top, left, cells) in enumerate(flat):
        found = attended(cells, weights, side, positions=not legacy)
        for (i, j), z in found.items():
            if top + i >= SIDE or left + j >= SIDE:
                continue
            here = (s, top + i, left + j)
            out[s][here[1:]] += z + adapter(z, weights, space)
            if not deep:
                continue
            if legacy:  # as many windows as there are slices, one after another
                first = place // count * count
                group, own = [flat[first + n][3][i, j] for n in range(count)], place - first
            else:
                group, own = [norm(x[here[1:]], weights, "norm1") for x in slices], s
            out[s][here[1:]] += adapter(across(group, weights)[own], weights, "attn.depth")
    for x in out:
        for place in np.ndindex(SIDE, SIDE):
            u = norm(x[place], weights, "norm2")
            hidden = gelu(linear(u, weights, "mlp.base.lin1"))
            x[place] += linear(hidden, weights, "mlp.base.lin2")
            x[place] += 0.5 * adapter(u, weights, "mlp.added")
    return np.stack(out)


@pytest.mark.parametrize("neighbours", [0, 1])
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(("number", "window"), [(0, WINDOW), (1, 0)])
@torch.no_grad()
def test_a_block_is_what_the_formulas_say(number, window, legacy, neighbours):
    model = on_small_vit(legacy=legacy, neighbours=neighbours)
    block = model.sam.image_encoder.blocks[number]
    weights = {name: t.double().numpy() for name, t in block.state_dict().items()}
    shape = (1 + 2 * neighbours, WIDTH, SIDE, SIDE)
    tokens = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 4 - 2
    slices = list(tokens.permute(0, 2, 3, 1).double().numpy())
    expected = block_by_hand(slices, weights, window, legacy=legacy)
    found = block(tokens).permute(0, 2, 3, 1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("base", ["tiny", "tiny-vit-sam"])
@torch.no_grad()
def test_slices_in_another_order_come_out_in_that_order(base):
    model = AdaptedSam(
        load_sam(base), load_method("med-sa"), Config(start="random", neighbours=1), 1
    )
    images = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    turned = torch.tensor([2, 0, 1, 3, 4, 5])
    found, expected = model.sam.encode(images[turned]), model.sam.encode(images)[turned]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    other = images.clone()
    other[0] = 0
    changed = (model.sam.encode(other) - model.sam.encode(images)).abs().amax(dim=(1, 2, 3))
    assert (changed[:3] > 1e-3).all()  # its own sample sees the change
    assert not changed[3:].any()  # and no other


@pytest.mark.parametrize("base", ["tiny", "tiny-vit-sam"])
def test_a_slice_is_seen_among_its_neighbours_and_segmented_alone(base, phantoms, taught):
    torch.manual_seed(0)
    model = AdaptedSam(load_sam(base), load_method("med-sa"), Config(neighbours=1), 2)
    alone = AdaptedSam(load_sam(base), load_method("med-sa"), Config(), 2)
    torch.manual_seed(0)
    samples = phantoms(3)
    near = torch.cat([samples.images[[2, 0, 1]], samples.images, samples.images[[1, 2, 0]]], dim=1)
    slab = type(samples)(near, samples.labels, samples.valid)
    with torch.no_grad():
        found = model.embed(model.prefix(near))
        expected = alone.embed(alone.prefix(samples.images))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)  # adapters start at nothing
    taught(model, slab, lr=1e-2, iterations=3)
    with torch.no_grad():
        logits = model(model.prefix(near), near)
        other = near.clone()
        other[:, :3] = 0
        changed = model(model.prefix(other), other)
    assert logits.shape[:2] == (3, 3)
    assert (changed - logits).abs().max() > 1e-4


def test_legacy_can_be_taken_off_and_needs_a_plain_vit(tiny_sam):
    model = on_small_vit(legacy=True)
    assert not model.sam.image_encoder.blocks[1].attn.base.rel_pos_h.any()
    sam = model.detach()
    assert sam.image_encoder.blocks[1].attn.rel_pos_h.any()
    assert sam.image_encoder.blocks[0].attn.padding is None
    with pytest.raises(UsageError, match="a plain ViT") as caught:
        AdaptedSam(tiny_sam, load_method("med-sa"), Config(legacy=True), 1)
    assert caught.value.code == "methods.plain_vit"


@pytest.mark.parametrize("base", ["tiny", "tiny-vit-sam"])
def test_only_the_chosen_blocks_have_adapters_and_the_rest_is_run_once(base):
    sam = load_sam(base)
    steps = len(sam.steps())
    model = AdaptedSam(sam, load_method("med-sa"), Config(blocks="last:1"), 2)
    assert model.prefix_steps == steps - 2  # the last block and the neck
    assert len([name for name in model.trained() if name.endswith("added.up.weight")]) == 2


def test_clicks_are_asked_class_by_class_with_two_tokens(adapted, phantoms):
    samples, model = phantoms(), adapted("med-sa", classes=2, clicks="oracle")
    assert model.oracle
    assert len(model.sam.mask_decoder.mask_tokens.weight) == 2
    prefix = model.prefix(samples.images)
    draws = [torch.Generator().manual_seed(seed) for seed in (0, 0, 1)]
    with torch.no_grad():
        found = [model(prefix, samples.images, samples.labels, chance=c) for c in draws]
        deepest = model(prefix, samples.images, samples.labels)
    assert deepest.shape[:2] == (2, 3)
    assert not deepest[:, 0].any()
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    with pytest.raises(UsageError) as caught:
        model(prefix, samples.images)
    assert caught.value.code == "methods.oracle"


def test_hyper_needs_clicks():
    with pytest.raises(UsageError, match="hyper needs clicks"):
        build(Config, {"hyper": True})


@torch.no_grad()
def test_the_hyper_adapter_is_what_its_formula_says(adapted, phantoms, taught):
    samples = phantoms()
    plain = adapted("med-sa", clicks="oracle")
    model = adapted("med-sa", clicks="oracle", hyper=True)
    found, expected = (
        m(m.prefix(samples.images), samples.images, samples.labels) for m in (model, plain)
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)  # it starts at nothing
    layers = [m for m in model.modules() if isinstance(m, HyperPrompt)]
    assert len(layers) == 2
    layer = layers[0]
    torch.nn.init.normal_(layer.up.weight, generator=torch.Generator().manual_seed(0))
    q, k = torch.rand(1, 5, 32), torch.rand(1, 9, 32)
    weights = {name: t.double().numpy() for name, t in layer.state_dict().items()}
    prompt = q[0, 3].double().numpy()  # after the token of the quality and two of masks
    first, second = (linear(prompt, weights, name).reshape(4, 4) for name in ("first", "second"))
    read = layer.base(q, k, k)[0]
    for token, value in enumerate(layer(q, k, k)[0]):
        low = linear(read[token].double().numpy(), weights, "down") @ first
        low = (low - low.mean()) / math.sqrt(low.var() + 1e-5)
        low = low * weights["norm.weight"] + weights["norm.bias"]
        added = linear(np.maximum(low, 0) @ second, weights, "up")
        np.testing.assert_allclose(value - read[token], added, rtol=0, atol=1e-5)
    torch.nn.init.zeros_(layer.up.weight)


def test_the_hyper_adapter_learns(adapted, phantoms, taught):
    model = adapted("med-sa", clicks="oracle", hyper=True)
    before = {name: p.detach().clone() for name, p in model.trained().items()}
    taught(model, phantoms(), lr=1e-2)
    hyper = [name for name in before if ".first." in name or ".second." in name]
    assert len(hyper) == 8
    assert all(not torch.equal(before[name], model.trained()[name]) for name in hyper)
