from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from samplar.api.methods import list_methods
from samplar.config.fit import fit_config
from samplar.errors import UsageError
from samplar.methods.registry import load_method
from samplar.prediction.slices import predict_slices
from samplar.sam.weights import countable_sam

SMALL = {"width": 4, "levels": 3}


@pytest.fixture
def unet(adapted):
    return adapted("unet", **SMALL)


def calls_of_the_encoder(model):
    """Count from now on how often a step of SAM's encoder runs."""
    calls = []
    for name, step in model.sam.steps():
        step.register_forward_hook(lambda *given, name=name: calls.append(name))
    return calls


@pytest.mark.parametrize(("name", "config"), [("unet", SMALL), ("decoder-only", {})])
def test_the_encoder_of_sam_is_never_run(adapted, phantoms, taught, name, config):
    model, samples = adapted(name, **config), phantoms()
    calls = calls_of_the_encoder(model)
    taught(model, samples, iterations=2)
    images = phantoms(1, size=36).images[..., :20, :].numpy()
    list(predict_slices(model, images, size=32, precision="fp32", also=(24,)))
    assert bool(calls) == (name == "decoder-only")


def test_its_embedding_is_the_image_itself(unet, phantoms):
    images = phantoms().images
    assert unet.prefix_steps == 0
    assert torch.equal(unet.embed(unet.prefix(images)), images)


@pytest.mark.parametrize("side", [8, 16, 20, 32, 44])
@torch.no_grad()
def test_any_frame_comes_back_at_its_own_size(unet, side):
    images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    assert unet(unet.prefix(images), images).shape == (2, 3, side, side)


@torch.no_grad()
def test_padding_is_cut_off_where_it_was_put_on(unet, phantoms):
    """The network sees 18 pixels as the corner of 20: what it says about them is what is given."""
    images = phantoms(size=18).images
    padded = torch.zeros(2, 3, 20, 20)
    padded[..., :18, :18] = images
    found, whole = (unet(unet.prefix(x), x) for x in (images, padded))
    assert torch.equal(found, whole[..., :18, :18])


def test_is_as_large_as_it_says_and_keeps_no_statistics():
    sam, method = countable_sam("lite-medsam").requires_grad_(False), load_method("unet")
    before = {name for name, _ in sam.named_buffers()}
    method.attach(sam, method.config(), 3)
    assert 2e6 < sum(p.numel() for p in sam.parameters() if p.requires_grad) < 8e6
    assert {name for name, _ in sam.named_buffers()} == before
    convolutions = [m for m in sam.unet.modules() if isinstance(m, torch.nn.Conv2d)]
    halvings = sum(conv.stride == (2, 2) for conv in convolutions)
    assert halvings == 5


def test_brings_its_own_augmentation_and_length_under_what_the_user_says():
    defaults = load_method("unet").defaults

    def made(**values):
        return fit_config({"dataset": Path("x"), **values}, preset="paper", method=defaults)

    mix = made().synthesis.mix
    assert (mix.group, mix.organs, mix.whole) == (0, 0, 0.95)
    assert (made().training.iterations, made().training.lr, made().size) == (600, 1e-3, 256)
    own = made(training={"iterations": 9}, synthesis={"mix": {"organs": 0.5}})
    assert (own.training.iterations, own.training.pool) == (9, 600)
    assert (own.synthesis.mix.organs, own.synthesis.mix.group) == (0.5, 0)


def test_without_monai_it_says_what_to_install_and_is_not_counted(tiny_sam, monkeypatch):
    monkeypatch.setitem(sys.modules, "monai.networks.nets.dynunet", None)
    method = load_method("unet")
    with pytest.raises(UsageError, match="monai, which is not installed") as caught:
        method.attach(tiny_sam, method.config(), 2)
    assert caught.value.code == "methods.extra"
    assert "python -m pip install 'samplar[unet]'" in caught.value.fix
    counts = {r["name"]: r["trainable_parameters"] for r in list_methods(weights="tiny")}
    assert counts["unet"] is None
    assert counts["full"] > counts["decoder-only"] > 0
