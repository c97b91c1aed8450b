"""MA-SAM against its formulas, computed slice by slice in numpy."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from plain_layers import (
    channel_norm,
    gelu,
    layer_norm,
    linear,
    relu,
    transposed,
    under,
    weights_of,
)

from samplar.config.base import build
from samplar.methods.adapted import AdaptedSam
from samplar.methods.fact import FactLinear
from samplar.methods.ma_sam import Config, attach
from samplar.methods.pixel_head import PixelHead
from samplar.methods.registry import load_method
from samplar.methods.slab_adapter import SlabAdapter
from samplar.sam.seeded import seeded_state
from samplar.sam.sites import encoder_attention
from samplar.sam.upscaling import Upscaling
from samplar.sam.weights import countable_sam, load_sam

BASES = pytest.mark.parametrize("base", ["tiny", "tiny-vit-sam"])


def on(base, *, classes=2, filled=False, **config):
    torch.manual_seed(0)
    settings = build(Config, {"neighbours": 1, **config})
    model = AdaptedSam(load_sam(base), load_method("ma-sam"), settings, classes)
    if filled:
        state = seeded_state(model.trained(), seed=1)
        model.load_adapter_state(state, path="made up")
    return model


@pytest.mark.parametrize("slices", [1, 5])
@torch.no_grad()
def test_the_adapter_is_a_convolution_over_slices(slices):
    torch.manual_seed(0)
    layer = SlabAdapter(12, inner=6, slices=slices, start="random")
    w, x = weights_of(layer), torch.randn(2 * slices, 2, 3, 12)
    kernels = np.split(w["across.weight"], 3, axis=1)
    found = layer(x)
    for slab, number, row, column in np.ndindex(2, slices, 2, 3):
        place = (slab * slices + number, row, column)
        mixed = w["across.bias"].copy()
        for offset, kernel in zip((-1, 0, 1), kernels, strict=True):
            if 0 <= number + offset < slices:  # beyond the ends of the slab there are zeros
                z = x[slab * slices + number + offset, row, column].double().numpy()
                mixed += kernel @ linear(layer_norm(z, w, "norm", 1e-6), w, "down")
        expected = x[place].double().numpy() + linear(gelu(mixed), w, "up")
        np.testing.assert_allclose(found[place], expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_adapter_counts_and_starts_as_a_three_dimensional_convolution():
    torch.manual_seed(0)
    layer, conv = SlabAdapter(12, inner=6, slices=3, start="zero"), torch.nn.Conv3d(6, 6, (3, 1, 1))
    ours, published = (sum(p.numel() for p in m.parameters()) for m in (layer.across, conv))
    assert ours == published
    bound = 1 / np.sqrt(6 * 3)
    assert 0.5 * bound < layer.across.weight.abs().max() <= bound
    x = torch.randn(3, 2, 2, 12)
    assert torch.equal(layer(x), x)


@BASES
@torch.no_grad()
def test_fact_changes_q_and_v_alone(base):
    model, plain = on(base, filled=True, scale=0.5), load_sam(base)
    shared = model.sam.image_encoder.fact
    for site in encoder_attention(plain):
        layer = model.sam.get_submodule(site.name)
        x = torch.randn(3, layer.base.in_features)
        more = (layer(x) - plain.get_submodule(site.name)(x)).double().numpy()
        w, outer = weights_of(layer), weights_of(shared[str(layer.base.in_features)])
        for n, z in enumerate(x.double().numpy()):
            for part in ("q", "v"):
                low = w[f"core.{part}.weight"] @ linear(z, outer, "down")
                expected = 0.5 * linear(low, outer, "up")
                np.testing.assert_allclose(more[n, site.rows[part]], expected, rtol=0, atol=1e-5)
            assert not more[n, site.rows["k"]].any()


@BASES
def test_layers_of_one_width_share_their_factors_and_they_are_saved_once(base):
    model = on(base)
    layers = [m for m in model.sam.modules() if isinstance(m, FactLinear)]
    shared = model.sam.image_encoder.fact
    assert len(layers) > len(shared) if base == "tiny-vit-sam" else len(layers) == len(shared)
    for layer in layers:
        assert layer.shared[0] is shared[str(layer.base.in_features)]
    names = [name for name in model.adapter_state() if ".fact." in name]
    assert len(names) == 2 * len(shared)
    twin = copy.deepcopy(model)
    for layer in twin.sam.modules():
        if isinstance(layer, FactLinear):
            own = twin.sam.image_encoder.fact[str(layer.base.in_features)]
            assert layer.shared[0] is own is not shared[str(layer.base.in_features)]


@BASES
@torch.no_grad()
def test_adapters_sit_before_attention_and_before_the_feed_forward_layer(base):
    model, plain = on(base, filled=True), load_sam(base)
    site = encoder_attention(plain)[0].name.removesuffix(".attn.qkv")
    block = model.sam.get_submodule(site)
    width = block.before.norm.weight.shape[0]
    x = torch.randn(3, width, 4, 4)
    last = block.before(x.permute(0, 2, 3, 1))
    if base == "tiny":
        last = block.local_conv((last + block.attn(last)).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        last = block.between(last)
        expected = last + block.mlp(last)
    else:
        last = block.between(last + block.attn(block.norm1(last)))
        expected = last + block.mlp(block.norm2(last))
    assert torch.equal(block(x), expected.permute(0, 3, 1, 2))
    assert (block(x) - plain.get_submodule(site)(x)).abs().max() > 1e-3


@pytest.mark.parametrize(("cell", "widths"), [(16, [8, 4, 2, 1]), (4, [8, 4])])
@torch.no_grad()
def test_the_head_is_what_its_formulas_say(cell, widths):
    torch.manual_seed(0)
    begin = Upscaling(32)
    head = PixelHead(32, 3, cell=cell, begin=begin)
    for number in (0, 1, 3):
        assert torch.equal(head.upscaling[number].weight, begin[number].weight)
        assert head.upscaling[number].weight is not begin[number].weight
    w, told, image = weights_of(head), torch.randn(2, 3, 32), torch.randn(2, 32, 2, 1)
    found = head(told, image)
    assert found.shape == (2, 3, 2 * cell, cell)
    for n in range(2):
        x, up = image[n].double().numpy(), under(w, "upscaling")
        for step, width in enumerate(widths):
            x = transposed(x, up, str(3 * step))
            assert len(x) == width
            last = step == len(widths) - 1
            x = gelu(x if last else channel_norm(x, up, str(3 * step + 1)))
        for k in range(3):
            asked = told[n, k].double().numpy()
            for number in range(3):
                asked = linear(asked, w, f"networks.{k}.layers.{number}")
                asked = asked if number == 2 else relu(asked)
            expected = np.einsum("c,cij->ij", asked, x)
            np.testing.assert_allclose(found[n, k], expected, rtol=0, atol=1e-5)


def slabs_of(samples, turned=((2, 0, 1), (1, 2, 0))):
    before, after = (list(order) for order in turned)
    near = torch.cat([samples.images[before], samples.images, samples.images[after]], dim=1)
    return type(samples)(near, samples.labels, samples.valid)


@BASES
def test_a_slice_is_seen_among_its_neighbours_and_trained_alone(base, phantoms, taught):
    samples = phantoms(3)
    model, slab = on(base), slabs_of(samples)
    taught(model, slab, lr=1e-2, iterations=3)
    with torch.no_grad():
        alone = model(model.prefix(slab.images), slab.images)
        whole = model(model.prefix(slab.images), slab.images, every=True)
        other = slab.images.clone()
        other[:, :3] = 0
        changed = model(model.prefix(other), other)
    assert alone.shape == (3, 3, 32, 32)
    assert whole.shape == (9, 3, 32, 32)
    torch.testing.assert_close(whole[1::3], alone, rtol=0, atol=1e-5)
    assert (changed - alone).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("weights", "adapters", "fact"),
    [("sam-vit-l", 59_099_136, 114_688), ("sam-vit-h", 91_414_528, 147_456)],
)
def test_what_trains_on_larger_encoders(weights, adapters, fact):
    sam = countable_sam(weights).requires_grad_(False)
    attach(sam, Config(), 12)
    sums = {"blocks": 0, "fact": 0, "rest": 0}
    for name, p in sam.named_parameters():
        place = "fact" if ".core." in name or ".fact." in name else "blocks"
        place = place if name.startswith("image_encoder.") else "rest"
        sums[place] += p.numel() * p.requires_grad
    assert sums == {"blocks": adapters, "fact": fact, "rest": 5_243_725 + 6_220}


@BASES
@torch.no_grad()
def test_without_what_was_learnt_slices_do_not_see_each_other(base, phantoms):
    samples = phantoms(3)
    model, slab, sam = on(base), slabs_of(samples), load_sam(base)
    found = model.embed(model.prefix(slab.images))
    torch.testing.assert_close(found, sam.encode(samples.images), rtol=0, atol=1e-5)
