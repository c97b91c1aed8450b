"""AutoSAM's image prompt (Shaharabany): its network in numpy, and SAM's decoder map by map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pixel_layers import Weights, convolved, enlarged, group_normed, pooled

from samplar.config.base import build
from samplar.methods import autosam_prompt
from samplar.methods.hardnet import HARDNET_85, HardNetShape, Harmonic, links
from samplar.methods.image_prompt import ImagePrompt
from samplar.methods.registry import load_method
from samplar.sam.seeded import seeded_state
from samplar.sam.weights import countable_sam

SMALL = {"network": "small"}


def trained_counts(classes):
    method, sam = load_method("autosam-prompt"), countable_sam("sam-vit-b").requires_grad_(False)
    method.attach(sam, build(method.config, {}), classes)
    counts = {name: p.numel() for name, p in sam.named_parameters() if p.requires_grad}
    assert all(name.startswith("prompt_encoder.image_prompt.") for name in counts)
    return sum(n for name, n in counts.items() if ".backbone." in name), sum(counts.values())


def test_what_trains_on_sam_vit_b():
    assert trained_counts(1) == (35_389_212, 41_558_300)
    # two more maps: a 3 x 3 convolution with bias, and scale and shift of their norm
    more = 2 * (9 * 256 * 256 + 256 + 2 * 256)
    assert trained_counts(3) == (35_389_212, 41_558_300 + more)


def test_a_layer_reads_those_that_powers_of_two_lie_back():
    assert [links(n) for n in (1, 2, 3, 4, 6, 8)] == [
        [0],
        [1, 0],
        [2],
        [3, 2, 0],
        [5, 4],
        [7, 6, 4, 0],
    ]
    block = Harmonic(96, 24, 8, HARDNET_85.multiplier)
    widths = [layer[0].out_channels for layer in block.layers]
    assert widths == [24, 40, 24, 70, 24, 40, 24, 118]  # 24, 40.8, 69.4, 117.9, to even numbers
    assert [layer[0].in_channels for layer in block.layers] == [96, 120, 40, 160, 70, 94, 40, 230]
    assert block.outputs == 4 * 24 + 118


class Numpy(Weights):
    """The network pixel by pixel."""

    def layer(self, x, name, *, stride=1):
        x = convolved(x, *self.of(f"{name}.0"), stride=stride)
        return np.clip(group_normed(x, *self.of(f"{name}.1")), 0, 6)

    def stage(self, x, name, layers):
        found = [x]
        for n in range(1, layers + 1):
            back = [2**i for i in range(8) if n % 2**i == 0]
            read = np.concatenate([found[n - step] for step in back])
            found.append(self.layer(read, f"{name}.0.layers.{n - 1}"))
        handed = [x for n, x in enumerate(found) if n % 2 == 1 or n == layers]
        return self.layer(np.concatenate(handed), f"{name}.1")

    def up(self, coarse, fine, name):
        x = np.concatenate([enlarged(coarse, fine.shape[1:], corners=False), fine])
        for n in (0, 1):
            x = convolved(x, *self.of(f"{name}.layers.{n}"))
        x = group_normed(x, *self.of(f"{name}.layers.2"))
        return np.where(x > 0, x, 0.01 * x)

    def __call__(self, image, shape, grid):
        mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        x = (image - mean[:, None, None]) / std[:, None, None]
        x = self.layer(x, "backbone.stem.0", stride=2)
        x = pooled(self.layer(x, "backbone.stem.1"), 3, 1)
        taps = []
        for n in range(5):
            x = self.stage(x, f"backbone.stages.{n}", shape.layers[n])
            if n in (0, 2, 4):
                taps.append(x)
                x = pooled(x, 2, 0)
        x = self.up(self.up(taps[2], taps[1], "up.0"), taps[0], "up.1")
        x = group_normed(convolved(x, *self.of("last.0")), *self.of("last.1"))
        x = convolved(np.maximum(x, 0), *self.of("last.3"))
        x = np.tanh(group_normed(x, *self.of("last.4")))
        return enlarged(x, grid, corners=True)


@torch.no_grad()
def test_the_network_is_what_numpy_says():
    shape = HardNetShape((4, 6), (6, 4, 6, 4, 8, 4), (2, 2, 2, 2, 2, 2), (4, 2, 3, 2, 2, 2))
    network = ImagePrompt(shape, 4, maps=2, side=None).eval()
    network.load_state_dict(seeded_state(network.state_dict(), seed=1))
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    by_hand = Numpy(network)
    expected = by_hand(image[0].double().numpy(), shape, (6, 5))
    found = network(image, (6, 5))
    assert found.shape == (1, 8, 6, 5)
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=0, atol=1e-4)
    unread = {name for name in by_hand.state if name.startswith("backbone.unread.")}
    assert by_hand.used == set(by_hand.state) - unread


@pytest.mark.parametrize("normalise", ["none", "minmax"])
@torch.no_grad()
def test_each_class_is_sams_single_mask_told_by_its_map(adapted, batch, normalise):
    model = adapted("autosam-prompt", classes=3, normalise=normalise, **SMALL)
    given, sam = batch(2, classes=3), model.sam
    found = model.method.logits(sam, model.config, given, {})
    grid = tuple(given.embedding.shape[-2:])
    maps = sam.prompt_encoder.image_prompt(given.images, grid)
    assert maps.shape == (2, 3 * 32, *grid)
    assert not found[:, 0].any()
    sparse = torch.zeros(1, 0, 32)
    for image in range(2):
        for number in range(3):
            told = maps[image, None, 32 * number : 32 * (number + 1)]
            masks, _ = sam.decode_encoded(given.embedding[image, None], sparse, told)
            expected = masks[0, 0]
            if normalise == "minmax":
                share = (expected - expected.min()) / (expected.max() - expected.min() + 1e-6)
                share = share.clamp(1e-6, 1 - 1e-6)
                expected = (share / (1 - share)).log()
            torch.testing.assert_close(found[image, number + 1], expected, rtol=1e-5, atol=1e-4)


def test_a_stretched_map_always_finds_something_and_reaches_a_half_midway():
    maps = torch.tensor([-9.0, -7.0, -8.0, -5.0]).view(1, 1, 2, 2).requires_grad_()
    shares = autosam_prompt.stretched(maps).sigmoid().flatten()
    torch.testing.assert_close(shares, torch.tensor([0, 0.5, 0.25, 1]), rtol=0, atol=2e-6)
    even = autosam_prompt.stretched(torch.full((1, 1, 2, 2), 3.0))
    assert torch.isfinite(even).all()


def test_all_of_sam_is_in_the_prefix_and_the_last_stage_is_not_read(adapted, phantoms):
    model, samples = adapted("autosam-prompt", **SMALL), phantoms()
    assert model.prefix_steps == len(model.sam.steps())
    found = model(model.prefix(samples.images), samples.images)
    found.square().sum().backward()
    without = {name for name, p in model.trained().items() if p.grad is None}
    unread = "prompt_encoder.image_prompt.backbone.unread."
    assert without == {name for name in model.trained() if name.startswith(unread)}
    assert all(p.grad is None for n, p in model.sam.named_parameters() if "image_prompt" not in n)


@pytest.mark.parametrize(("side", "frame", "seen"), [(None, 48, 48), (64, 48, 64), (None, 20, 32)])
@torch.no_grad()
def test_the_network_sees_the_frame_or_the_side_that_is_set(adapted, side, frame, seen):
    model, sizes = adapted("autosam-prompt", side=side, **SMALL), []
    network = model.sam.prompt_encoder.image_prompt
    network.backbone.register_forward_hook(lambda _, given, made: sizes.append(given[0].shape))
    images = torch.rand(1, 3, frame, frame, generator=torch.Generator().manual_seed(0))
    model(model.prefix(images), images)
    assert sizes == [(1, 3, seen, seen)]
