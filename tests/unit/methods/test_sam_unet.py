"""SAM-UNet: its new parts in numpy, pixel by pixel; what the encoder sees; what trains."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pixel_layers import (
    Weights,
    channel_normed,
    convolved,
    gelu,
    group_normed,
    pooled,
    spread,
)

from samplar.config.base import build
from samplar.methods import sam_unet
from samplar.methods.adapted import AdaptedSam
from samplar.methods.contract import Batch
from samplar.methods.oracle_prompts import box_prompts
from samplar.methods.registry import load_method
from samplar.methods.resnet import ResNet, ResNetShape
from samplar.methods.sam_unet import Config
from samplar.methods.side_branch import Reshaper, encode_beside
from samplar.sam.prompt import Prompts
from samplar.sam.seeded import seeded_state
from samplar.sam.weights import countable_sam, load_sam


def on_vit(*, seed=4, **config):
    model = AdaptedSam(
        load_sam("tiny-vit-sam"),
        load_method("sam-unet"),
        build(Config, {"branch": "small", "start": "random", "masks": 2, **config}),
        2,
    )
    model.load_adapter_state(seeded_state(model.trained(), seed=seed), path="made up")
    return model


def seeded(module, seed=1):
    module.load_state_dict(seeded_state(module.state_dict(), seed=seed))
    return module.eval()


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def counts(**config):
    method, sam = load_method("sam-unet"), countable_sam("sam-vit-b").requires_grad_(False)
    method.attach(sam, build(Config, config), 1)
    return {name: p.numel() for name, p in sam.named_parameters() if p.requires_grad}


def test_what_trains_on_sam_vit_b():
    found = counts()
    parts = {
        "image_encoder.branch.": 23_508_032,
        "image_encoder.blocks.2.side.": 6_690_048,
        "image_encoder.blocks.5.side.": 5_508_864,
        "image_encoder.blocks.8.side.": 787_200,
        "image_encoder.blocks.11.side.": 9_178_880,
        "mask_decoder.skip.bridges.": 2_460_000,
        "mask_decoder.skip.of_embedding.": 73_952,
        "mask_decoder.skip.token.": 256,
        "mask_decoder.skip.network.": 139_808,
        "mask_decoder.skip.features.": 37_088,
        "prompt_encoder.": 6_220,
        "mask_decoder.transformer.": 3_291_264,
        "mask_decoder.output_upscaling.": 73_952,
    }
    for part, number in parts.items():
        assert sum(n for name, n in found.items() if name.startswith(part)) == number
    assert sum(found.values()) == sum(parts.values()) == 51_755_564


def test_with_resnet_34_the_published_classifier_aside():
    found = counts(branch="resnet34")
    branch = sum(n for name, n in found.items() if ".branch." in name)
    assert branch == 21_797_672 - (512 * 1000 + 1000)


@pytest.mark.parametrize("wider", [1, 4])
@torch.no_grad()
def test_the_branch_is_what_numpy_says(wider):
    shape = ResNetShape((2, 1, 1), width=4, wider=wider)
    network, image = seeded(ResNet(shape)).double(), drawn(1, 3, 32, 32).double()
    weights = Weights(network)

    def layer(x, name, *, stride=1):
        x = convolved(x, *weights.of(f"{name}.0"), stride=stride)
        return group_normed(x, *weights.of(f"{name}.1"))

    x = pooled(np.maximum(layer(image[0].numpy(), "stem.0", stride=2), 0), 3, 1)
    expected = []
    for n, blocks in enumerate(shape.blocks):
        for block in range(blocks):
            name, stride = f"stages.{n}.{block}", 2 if n and not block else 1
            strides = [stride, 1] if wider == 1 else [1, stride, 1]
            inside = x
            for at, step in enumerate(strides):
                inside = layer(inside, f"{name}.layers.{2 * at}", stride=step)
                inside = np.maximum(inside, 0) if at + 1 < len(strides) else inside
            if f"{name}.skip.0.weight" in weights.state:
                x = layer(x, f"{name}.skip", stride=stride)
            x = np.maximum(x + inside, 0)
        expected.append(x)
    assert weights.used == set(weights.state)
    for found, by_hand in zip(network(image), expected, strict=True):
        np.testing.assert_allclose(found[0].numpy(), by_hand, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("stride", "side"), [(4, 8), (8, 4), (16, 2), (32, 1)])
@torch.no_grad()
def test_reshapers_are_what_numpy_says(stride, side):
    module = seeded(Reshaper(8, 5, stride=stride, patch=16, start="random"))
    x = drawn(1, 8, side, side)
    weights, now, at = Weights(module), x[0].double().numpy(), 0
    while now.shape[1] != 2:
        if now.shape[1] > 2:
            now = convolved(now, *weights.of(f"layers.{at}"), stride=2)
        else:
            now = spread(now, *weights.of(f"layers.{at}"))
        now = gelu(channel_normed(now, *weights.of(f"layers.{at + 1}")))
        at += 3
    now = convolved(now, *weights.of(f"layers.{at}"))
    assert weights.used == set(weights.state)
    np.testing.assert_allclose(module(x, (2, 2))[0].numpy(), now, rtol=0, atol=1e-5)


def test_channels_double_where_the_grid_halves_and_the_other_way_round():
    def widths(inputs, stride):
        made = Reshaper(inputs, 768, stride=stride, patch=16, start="random").layers
        return [tuple(layer.weight.shape[:2]) for layer in made if hasattr(layer, "kernel_size")]

    assert widths(256, 4) == [(512, 256), (1024, 512), (768, 1024)]
    assert widths(1024, 16) == [(768, 1024)]
    assert widths(2048, 32) == [(2048, 1024), (768, 1024)]  # transposed: inputs first


@torch.no_grad()
def test_a_stage_is_added_before_each_global_block_and_its_tokens_are_seen():
    model = on_vit()
    sam, images = model.sam, torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    encoder = sam.image_encoder
    features = encoder.branch(images)
    assert len(features) == 2  # as many stages as global blocks: 1 and 3 of this encoder
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    first, second = (
        encoder.branch[1]((images - mean[:, None, None]) / std[:, None, None])[n] for n in (0, 1)
    )
    x = sam.steps()[1][1](sam.pixels(images))
    x = encoder.blocks[0](x)
    x = encoder.blocks[1](x + encoder.blocks[1].side(first, (8, 8)))
    expected = x
    x = encoder.blocks[2](x)
    x = encoder.blocks[3](x + encoder.blocks[3].side(second, (8, 8)))
    embedding, seen = encode_beside(sam, images)
    torch.testing.assert_close(embedding, encoder.neck(x), rtol=0, atol=1e-6)
    assert len(seen) == 1
    torch.testing.assert_close(seen[0], expected, rtol=0, atol=1e-6)


@torch.no_grad()
def test_with_the_last_layers_at_zero_the_encoder_is_sams():
    model, images = on_vit(), drawn(1, 3, 32, 32).sigmoid()
    sam, plain = model.sam, load_sam("tiny-vit-sam").encode(images)
    assert (encode_beside(sam, images)[0] - plain).abs().max() > 1e-2
    for number in (1, 3):
        last = sam.image_encoder.blocks[number].side.layers[-1]
        last.weight.zero_()
        last.bias.zero_()
    assert torch.equal(encode_beside(sam, images)[0], plain)


@torch.no_grad()
def test_it_can_be_run_again_between_two_uses():
    model = on_vit()
    one, two = (drawn(1, 3, 32, 32, seed=n).sigmoid() for n in (1, 2))
    first = model.embed(model.prefix(one))
    model.embed(model.prefix(two))
    assert torch.equal(model.embed(model.prefix(one)), first)
    assert model.prefix_steps == 0  # the branch sees the image itself, and trains


def test_computing_steps_again_gives_the_same_gradients(phantoms):
    samples, found = phantoms(1), []
    for again in (False, True):
        model = on_vit()
        model.recompute = again
        model(
            model.prefix(samples.images), samples.images, samples.labels
        ).square().sum().backward()
        found.append({n: p.grad for n, p in model.trained().items() if p.grad is not None})
    assert set(found[0]) == set(found[1])
    assert any(".branch." in name for name in found[0])
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_masks_are_what_numpy_makes_of_what_the_transformer_says():
    """Two images, three boxes: the decoder's new parts by hand, row by row."""
    model = on_vit()
    sam, images = model.sam, drawn(2, 3, 32, 32).sigmoid()
    rows = [0, 1, 1]
    boxes = torch.tensor([[4.0, 3, 19, 8], [2, 10, 11, 29], [20, 4, 27, 7]])
    embedding, seen = encode_beside(sam, images)
    batch = Batch(images, model.embed(model.prefix(images)), None, 2)
    found = sam_unet._ask(sam, batch, torch.tensor(rows), Prompts(boxes=boxes))
    assert found.shape == (3, 32, 32)
    decoder, weights = sam.mask_decoder, Weights(sam.mask_decoder.skip)
    for row, image in enumerate(rows):
        sparse, dense = sam.encode_prompts(Prompts(boxes=boxes[row, None]), embedding)
        tokens = torch.cat([decoder.skip.token.weight[None], sparse], dim=1)
        place = sam.prompt_encoder.pe_layer.grid(8, 8)
        asked, cells = decoder.attend(embedding[image, None] + dense, place, tokens)
        source = cells.transpose(1, 2).unflatten(2, (8, 8))
        fine = decoder.output_upscaling(source)[0].double().numpy()
        fine = convolved(fine, *weights.of("features.0"))
        fine = gelu(channel_normed(fine, *weights.of("features.1")))
        fine = convolved(fine, *weights.of("features.3"))
        for name, given in (("of_embedding", embedding), ("bridges.0", seen[0])):
            x = spread(given[image].double().numpy(), *weights.of(f"{name}.0"))
            x = gelu(channel_normed(x, *weights.of(f"{name}.1")))
            fine = fine + spread(x, *weights.of(f"{name}.3"))
        wanted = asked[0, 0].double().numpy()
        for layer in range(3):
            weight, bias = weights.of(f"network.layers.{layer}")
            wanted = weight @ wanted + bias
            wanted = np.maximum(wanted, 0) if layer < 2 else wanted
        expected = np.tensordot(wanted, fine, axes=1)
        np.testing.assert_allclose(found[row].numpy(), expected, rtol=0, atol=1e-4)
    assert weights.used == set(weights.state) - {"token.weight"}


def passes(model, samples, seed=0):
    chance = torch.Generator().manual_seed(seed)
    return model.passes(model.prefix(samples.images), samples.images, samples.labels, chance=chance)


def test_each_step_asks_once_with_boxes_moved_a_little(phantoms, monkeypatch):
    model, samples, seen = on_vit(masks=3), phantoms(), []
    encode = type(model.sam).encode_prompts

    def spy(sam, prompts, embedding):
        seen.append(prompts)
        return encode(sam, prompts, embedding)

    monkeypatch.setattr(type(model.sam), "encode_prompts", spy)
    (part,) = passes(model, samples)
    assert part.logits.shape == (6, 2, 32, 32)
    assert not part.logits[:, 0].any()
    assert part.quality is None
    tight = box_prompts(part.labels == 1).boxes
    moved = seen[0].boxes - tight
    assert torch.equal(moved[:, :2], moved[:, 2:])  # as large as they were
    assert 0 < moved.abs().max() <= 5


def test_the_loss_is_focal_plus_twenty_dice():
    config = Config().loss
    assert (config.focal, config.dice, config.quality) == (1, 20, 0)
    assert (config.alpha, config.gamma, config.smooth) == (0.25, 2, 1)


def test_what_the_published_decoder_lacks_is_not_read(phantoms):
    model, samples = on_vit(), phantoms()
    with torch.no_grad():
        before = model(model.prefix(samples.images), samples.images, samples.labels)
        decoder = model.sam.mask_decoder
        for part in (
            decoder.iou_token,
            decoder.mask_tokens,
            decoder.output_hypernetworks_mlps,
            decoder.iou_prediction_head,
        ):
            for parameter in part.parameters():
                assert not parameter.requires_grad
                parameter.add_(1)
        after = model(model.prefix(samples.images), samples.images, samples.labels)
    assert torch.equal(before, after)


@torch.no_grad()
def test_frames_that_the_strides_do_not_divide_are_cut_to_the_grid(phantoms):
    model, samples = (
        on_vit(),
        phantoms(size=28),
    )  # 7 cells; the second stage has 4 of twice the size
    found = model(model.prefix(samples.images), samples.images, samples.labels)
    assert found.shape == (2, 3, 28, 28)
    assert torch.isfinite(found).all()
