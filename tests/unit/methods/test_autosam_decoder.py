"""AutoSAM's class decoder (Hu): against SAM's decoder asked class by class, and numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pixel_layers import convolved, spread

from samplar.config.base import build
from samplar.methods.class_cnn import ClassCnn
from samplar.methods.registry import load_method
from samplar.sam.model import NO_PROMPT, Sam, SamShape
from samplar.sam.seeded import digest_of, seeded_state
from samplar.sam.weights import countable_sam, load_sam


def trained_counts(classes, **config):
    method, sam = load_method("autosam-decoder"), countable_sam("sam-vit-b").requires_grad_(False)
    method.attach(sam, build(method.config, config), classes)
    return {name: p.numel() for name, p in sam.named_parameters() if p.requires_grad}


def test_what_trains_on_sam_vit_b_with_three_classes_and_background():
    for start in ("sam", "random"):
        counts = trained_counts(3, head_init=start)
        assert sum(counts.values()) == 3_646_880
        parts = {"transformer": 0, "output_upscaling": 0, "output_hypernetworks_mlps": 0}
        for name, number in counts.items():
            part = name.split(".")[1]
            parts[part] = parts.get(part, 0) + number
        assert parts == {
            "transformer": 3_291_264,
            "output_upscaling": 73_952,
            "output_hypernetworks_mlps": 279_616,
            "class_tokens": 2_048,
        }
    # 1 x 1, 1 x 1; 1024 and 512 halved by a convolution; 256 and 128 by a transposed one; two more
    widths = [(1, 256, 1024), (1, 1024, 1024)]
    widths += [(9, 1024, 1024), (9, 1024, 512), (9, 512, 512), (9, 512, 256)]
    widths += [(9, 256, 256), (9, 256, 256), (4, 256, 128)]
    widths += [(9, 128, 128), (9, 128, 128), (4, 128, 64), (9, 64, 64), (1, 64, 4)]
    expected = sum(k * inputs * outputs + outputs for k, inputs, outputs in widths)
    assert sum(trained_counts(3, head="cnn").values()) == expected


def two_token_sam(sam, tokens, quality):
    """Return a plain SAM whose two mask tokens, their networks and quality token are these."""
    shape = SamShape(sam.shape.encoder, sam.shape.decoder_hidden, 2, sam.shape.image_size)
    plain = Sam(shape)
    state = {n: t for n, t in sam.state_dict().items() if n in plain.state_dict()}
    state |= {
        n: t for n, t in plain.state_dict().items() if n not in state or state[n].shape != t.shape
    }
    state["mask_decoder.mask_tokens.weight"] = tokens
    state["mask_decoder.iou_token.weight"] = quality
    plain.load_state_dict(state)
    return plain.eval()


@pytest.mark.parametrize("start", ["sam", "random"])
@torch.no_grad()
def test_each_class_is_what_sams_decoder_says_with_that_classs_tokens(adapted, batch, start):
    model, given = adapted("autosam-decoder", classes=3, head_init=start), batch(2, classes=3)
    sam = model.sam
    found = model.method.logits(sam, model.config, given, {})
    assert found.shape == (2, 4, 4 * given.embedding.shape[2], 4 * given.embedding.shape[3])
    tokens = sam.mask_decoder.class_tokens
    for number in range(4):
        own = sam.mask_decoder.iou_token.weight
        if start == "random":
            own = tokens.quality[number, None]
        plain = two_token_sam(sam, tokens.masks[number], own)
        for image in range(2):
            embedding = given.embedding[image, None]
            sparse, dense = plain.encode_prompts(NO_PROMPT, embedding)
            masks, _ = plain.decode_encoded(embedding, sparse, torch.zeros_like(dense))
            torch.testing.assert_close(found[image, number], masks[0, 0], rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_vector_for_no_mask_is_not_added(adapted, batch):
    model, given = adapted("autosam-decoder"), batch()
    before = model.method.logits(model.sam, model.config, given, {})
    model.sam.prompt_encoder.no_mask_embed.weight.add_(1)
    assert torch.equal(model.method.logits(model.sam, model.config, given, {}), before)


def test_quality_tokens_are_frozen_and_the_same_in_every_run(adapted, phantoms, taught):
    models = [adapted("autosam-decoder", head_init="random", seed=seed) for seed in (0, 1)]
    one, two = (m.sam.mask_decoder.class_tokens for m in models)
    kept = one.quality.clone()
    assert torch.equal(one.quality, two.quality)
    assert not torch.equal(one.masks, two.masks)
    assert len(kept.unique(dim=0)) == 3
    taught(models[0], phantoms(), lr=1e-2)
    assert torch.equal(one.quality, kept)
    assert not any("quality" in name or "iou" in name for name in models[0].trained())
    models[1].load_adapter_state(models[0].adapter_state(), path="made up")
    samples = phantoms(seed=1)
    with torch.no_grad():
        found = [m(m.prefix(samples.images), samples.images) for m in models]
    assert torch.equal(*found)


@torch.no_grad()
def test_class_tokens_start_from_sams_a_little_apart(adapted, tiny_sam):
    tokens = adapted("autosam-decoder", classes=5).sam.mask_decoder.class_tokens.masks
    base = tiny_sam.mask_decoder.mask_tokens.weight
    assert tokens.shape == (6, 2, 32)
    assert 0.35 < (tokens - base[:2]).std() / base.std() < 0.65
    assert len(tokens.flatten(1).unique(dim=0)) == 6


def test_no_loss_reaches_the_second_network_and_every_one_of_its_token(adapted, batch):
    model, given = adapted("autosam-decoder"), batch()
    model.method.logits(model.sam, model.config, given, {}).square().sum().backward()
    decoder = model.sam.mask_decoder
    networks = decoder.output_hypernetworks_mlps
    assert all(p.grad is None for p in networks[1].parameters())
    assert all(p.grad is not None for p in networks[0].parameters())
    assert decoder.class_tokens.masks.grad.abs().sum(dim=2).all()
    assert not any(p.requires_grad for network in networks[2:] for p in network.parameters())


def test_pixels_as_the_weights_expect_them_or_as_published():
    method, kept = load_method("autosam-decoder"), []
    for pixels in ("weights", "unit"):
        sam = load_sam("tiny-vit-sam")
        method.attach(sam, build(method.config, {"pixels": pixels}), 2)
        kept.append(next(name for name, _ in sam.steps()))
    assert kept == ["pixels", "image_encoder.patch_embed"]


@torch.no_grad()
def test_the_convolutional_head_is_what_numpy_says():
    head = ClassCnn(8, 3)
    head.load_state_dict(seeded_state(head.state_dict(), seed=1))
    x = torch.randn(1, 8, 2, 3, generator=torch.Generator().manual_seed(2))
    numbers = [p.double().numpy() for p in head.parameters()]
    layers = list(zip(numbers[::2], numbers[1::2], strict=True))
    now = x[0].double().numpy()
    bare = {8, 11, 12, 13}  # transposed ones, and the last two: no ReLU after them
    for number, (weight, bias) in enumerate(layers):
        now = (spread if number in {8, 11} else convolved)(now, weight, bias)
        now = now if number in bare else np.maximum(now, 0)
    assert len(layers) == 14
    assert now.shape == (3, 8, 12)
    np.testing.assert_allclose(head(x)[0].numpy(), now, rtol=0, atol=1e-5)


def test_the_convolutional_head_learns_is_kept_and_comes_off(adapted, phantoms, taught, tiny_sam):
    samples = phantoms()
    model = taught(adapted("autosam-decoder", head="cnn"), samples, lr=3e-3)
    assert {name.split(".")[1] for name in model.trained()} == {"class_cnn"}
    other = adapted("autosam-decoder", head="cnn", seed=5)
    other.load_adapter_state(model.adapter_state(), path="made up")
    with torch.no_grad():
        found = [m(m.prefix(samples.images), samples.images) for m in (model, other)]
    assert torch.equal(*found)
    assert digest_of(model.detach().state_dict()) == digest_of(tiny_sam.state_dict())
