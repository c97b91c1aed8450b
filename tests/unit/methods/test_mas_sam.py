"""MAS-SAM against its formulas, computed in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plain_layers import (
    conv,
    gelu,
    group_norm,
    layer_norm,
    linear,
    relu,
    sigmoid,
    stretched,
    transposed,
    under,
    weights_of,
)

from samplar.methods.adapted import AdaptedSam
from samplar.methods.mas_sam import Config
from samplar.methods.mlp_adapter import MlpAdapter
from samplar.methods.progressive import ProgressiveHead
from samplar.methods.registry import load_method
from samplar.methods.two_way import read_both_ways
from samplar.sam.blocks import After, quarter_blocks
from samplar.sam.upscaling import placed
from samplar.sam.weights import countable_sam, load_sam

BASES = pytest.mark.parametrize("base", ["tiny", "tiny-vit-sam"])


def on(base, *, classes=2, **config):
    torch.manual_seed(0)
    return AdaptedSam(load_sam(base), load_method("mas-sam"), Config(**config), classes)


def conv_norm(x, w, *, pad=0):
    return gelu(group_norm(conv(x, w, "0", pad=pad), w, "1"))


def join(x, w):
    x = conv_norm(x, under(w, "0"))
    score = sum(
        linear(relu(linear(v, w, "1.weigh.0")), w, "1.weigh.2")
        for v in (x.mean(axis=(1, 2)), x.max(axis=(1, 2)))
    )
    return conv_norm(x + x * sigmoid(score)[:, None, None], under(w, "2"))


def enlarge(x, w):
    return conv_norm(transposed(x, w, "0"), under(w, "1"), pad=1)


def head_by_hand(image, features, w):
    """The text of the specification, step by step; features are e12, e9, e6, e3."""
    a = [join(e, under(w, f"hypermap.each.{n}")) for n, e in enumerate(features)]
    h = [join(np.concatenate(a), under(w, "hypermap.whole"))]
    h += [enlarge(h[-1], under(w, "hypermap.finer.0"))]
    h += [enlarge(h[-1], under(w, "hypermap.finer.1"))]
    h += [enlarge(h[-1], under(w, "hypermap.finer.2"))]
    d = []
    for n, (e, steps) in enumerate(zip(features, (1, 1, 2, 3), strict=True)):
        d.append(e)
        for step in range(steps):
            d[n] = enlarge(d[n], under(w, f"aligned.chains.{n}.{step}"))
    x, m = image, []
    for n in range(4):
        m.append(join(np.concatenate([x, d[n], h[n]]), under(w, f"join.{n}")))
        x = enlarge(m[-1], under(w, f"enlarge.{n}")) if n < 3 else x
    size = m[3].shape[1:]
    p = [conv(m[3], w, "masks.3")]
    for n in (2, 1, 0):
        wide = stretched(m[n], size, corners=True)
        p.append(conv(conv_norm(wide, under(w, f"smooth.{n}"), pad=1), w, f"masks.{n}"))
    return conv(np.concatenate(p), w, "final"), p


@torch.no_grad()
def test_the_head_is_what_the_formulas_say():
    torch.manual_seed(0)
    head = ProgressiveHead([3, 4, 5, 6], 16, 3).double()
    for name, p in head.named_parameters():
        if name.endswith("1.weight"):
            p.normal_()
    image = torch.randn(2, 16, 2, 1, dtype=torch.float64)
    features = [torch.randn(2, c, 2, 1, dtype=torch.float64) for c in (6, 5, 4, 3)]
    found, masks = head(image, features)
    assert found.shape == (2, 3, 16, 8)
    for n in range(2):
        arrays = [x[n].numpy() for x in (image, *features)]
        final, others = head_by_hand(arrays[0], arrays[1:], weights_of(head))
        np.testing.assert_allclose(found[n], final, rtol=0, atol=1e-10)
        for mask, other in zip(masks, others, strict=True):
            np.testing.assert_allclose(mask[n], other, rtol=0, atol=1e-10)


@torch.no_grad()
def test_the_adapter_is_what_its_formula_says():
    torch.manual_seed(0)
    layer = MlpAdapter(24, start="random")
    assert layer.down.weight.shape == (2, 24)
    assert 0 < layer.up.bias.abs().max() < 1e-5
    w = weights_of(layer)
    x = torch.randn(2, 3, 3, 24)
    for place in np.ndindex(2, 3, 3):
        z = x[place].double().numpy()
        low = linear(layer_norm(z, w, "norm", 1e-5), w, "down")
        expected = z + linear(low * sigmoid(1.702 * low), w, "up")
        np.testing.assert_allclose(layer(x)[place], expected, rtol=0, atol=1e-6)
    assert torch.equal(MlpAdapter(24, start="zero")(x), x)


@BASES
@torch.no_grad()
def test_adapters_change_what_the_feed_forward_layers_made(base):
    model = on(base, start="random")
    name = quarter_blocks(load_sam(base))[0].name
    layer = model.sam.get_submodule(f"{name}.mlp")
    assert isinstance(layer, After)
    x = torch.randn(1, 4, 4, quarter_blocks(load_sam(base))[0].width)
    assert torch.equal(layer(x), layer.added(layer.base(x)))


@BASES
@torch.no_grad()
def test_the_transformer_is_read_as_sams_own_decoder_reads_it(base):
    sam = load_sam(base)
    decoder, images = sam.mask_decoder, torch.rand(2, 3, 32, 32)
    embedding = sam.encode(images)
    tokens = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    told, image = read_both_ways(sam, embedding, tokens)
    cells = decoder.output_upscaling.cells(image.flatten(2).transpose(1, 2))
    found = placed(decoder._masks(told, cells), image.shape[-2:])
    torch.testing.assert_close(found, sam.decode(embedding)[0], rtol=0, atol=1e-5)
    bare = read_both_ways(sam, embedding, tokens, no_prompt=False)[1]
    assert (bare - image).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("weights", "numbers"),
    [("sam-vit-b", [2, 5, 8, 11]), ("sam-vit-l", [5, 11, 17, 23]), ("sam-vit-h", [7, 15, 23, 31])],
)
def test_quarters_end_where_a_vit_looks_everywhere(weights, numbers):
    """The published test looks for digits in names, and fits ViT-B alone."""
    sam = countable_sam(weights)
    names = [site.name for site in quarter_blocks(sam)]
    assert names == [f"image_encoder.blocks.{number}" for number in numbers]
    assert sam.shape.encoder.global_blocks == tuple(numbers)


def test_a_tiny_vit_is_tapped_on_the_grid_of_its_embedding():
    names = [
        site.name.removeprefix("image_encoder.")
        for site in quarter_blocks(countable_sam("lite-medsam"))
    ]
    assert names == [
        "layers.2.blocks.0",
        "layers.2.blocks.2",
        "layers.2.blocks.5",
        "layers.3.blocks.1",
    ]


@pytest.mark.parametrize("legacy", [False, True])
def test_the_shallowest_depth_counts_but_for_legacy(legacy, phantoms):
    model, images = on("tiny-vit-sam", legacy=legacy), phantoms().images
    batch = model._batch(model.prefix(images), images, None)
    others = (torch.zeros_like(batch.taps[0]), *batch.taps[1:])
    blind = type(batch)(batch.images, batch.embedding, None, 2, taps=others)
    with torch.no_grad():
        found, changed = (
            model.method.logits(model.sam, model.config, b, {}) for b in (batch, blind)
        )
    assert torch.equal(found, changed) == legacy


@BASES
def test_four_masks_are_compared_beside_the_final_one(base, phantoms):
    samples = phantoms()
    for side, count in ((0.5, 4), (0.0, 0)):
        model = on(base, side=side)
        chance = torch.Generator().manual_seed(0)
        prefix = model.prefix(samples.images)
        (part,) = model.passes(prefix, samples.images, samples.labels, chance=chance)
        assert [other.weight for other in part.also] == [side] * count
        with torch.no_grad():
            plain = model(prefix, samples.images)
        torch.testing.assert_close(part.logits, plain, rtol=0, atol=1e-5)


def test_masks_are_finer_than_the_cells_and_never_finer_than_the_image(phantoms):
    images = phantoms(1, size=64).images
    for base, side in (("tiny", 64), ("tiny-vit-sam", 64)):
        model = on(base)
        with torch.no_grad():
            assert model(model.prefix(images), images).shape == (1, 3, side, side)
