from __future__ import annotations

import pytest
import torch

from samplar.api.methods import list_methods
from samplar.errors import UsageError
from samplar.methods.beside import Beside
from samplar.methods.samplar import Config, settle

SMALL = {"width": 4, "levels": 3}


@pytest.fixture
def samplar(adapted, phantoms, taught):
    """Return a maker of a trained model."""

    def make(**config):
        return taught(adapted("samplar", **SMALL, **config), phantoms(), iterations=3)

    return make


@pytest.mark.parametrize(
    ("given", "exemplars", "share"),
    [(None, 1, 0.25), (None, 2, 0.4), (None, 3, 0.5), (None, 300, 0.5), (0.0, 9, 0.0), (1, 1, 1)],
)
def test_a_unet_has_the_share_that_exemplars_give_it_reason_to(given, exemplars, share):
    assert settle(Config(unet_share=given), exemplars).unet_share == share


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_what_is_said_is_the_mean_of_both(samplar, phantoms, share):
    model, images = samplar(unet_share=share, learnt=0), phantoms(seed=5).images
    with torch.no_grad():
        prefix = model.prefix(images)
        found = model(prefix, images).softmax(dim=1)
        decoded, beside = model.sam.decode(model.embed(prefix))[0], model.sam.beside(images)
    alone = [part.softmax(dim=1) for part in (decoded, beside)]
    assert alone[0].shape == alone[1].shape
    assert (alone[0] - alone[1]).abs().max() > 0.01
    mean = (1 - share) * alone[0] + share * alone[1]
    assert torch.allclose(found, mean, atol=1e-5)


def test_neither_network_knows_of_the_other(samplar):
    """The decoder becomes bit for bit what it becomes without a U-Net, and the U-Net learns."""
    both, alone = samplar(unet_share=0.5).adapter_state(), samplar(unet_share=0).adapter_state()
    extra = both.keys() - alone.keys()
    assert extra
    assert all(name.startswith("beside.") for name in extra)
    assert all(torch.equal(both[name], tensor) for name, tensor in alone.items())
    assert samplar(unet_share=0.5).adapter_state()["beside.unet.masks.bias"].any()


def test_without_a_share_it_is_decoder_only(samplar, adapted, phantoms, taught):
    """Also with settings from before there was a U-Net, which name no share."""
    plain = taught(adapted("decoder-only"), phantoms(), iterations=3).adapter_state()
    for config in ({}, {"unet_share": 0}):
        found = samplar(**config).adapter_state()
        assert found.keys() == plain.keys()
        assert all(torch.equal(found[name], tensor) for name, tensor in plain.items())


def test_a_plain_sam_cannot_hold_a_unet(samplar):
    samplar(unet_share=0).merge()
    with pytest.raises(UsageError, match="changes what SAM is made of, first of all beside"):
        samplar(unet_share=0.5).merge()


@torch.no_grad()
def test_a_frame_of_any_size_and_masks_of_another_grid(adapted, phantoms):
    """What the decoder says comes on the grid of what the U-Net says: that of the frame."""
    model = adapted("samplar", unet_share=0.5, **SMALL)
    for side in (16, 32, 40):
        images = phantoms(size=side).images
        assert model(model.prefix(images), images).shape[-2:] == (side, side)


def test_what_it_trains_is_counted_with_the_unet_of_a_usual_fit():
    rows = {
        name: list_methods(weights="sam-vit-b", only=name)[0]["trainable_parameters"]
        for name in ("samplar", "decoder-only")
    }
    beside = sum(p.numel() for p in Beside(1, width=16, levels=6).parameters())
    assert rows["samplar"] == rows["decoder-only"] + beside
    assert 5e6 < beside < 5.3e6


def test_training_counts_how_far_both_have_learnt_each_class(samplar):
    """And its end is what prediction goes by: with none learnt, the decoder is left alone."""
    beside = samplar(unet_share=0.5).sam.beside
    assert (beside.counts[:, 1] > 0).all()
    assert ((beside.dice() >= 0) & (beside.dice() <= 1)).all()


def test_a_unet_that_has_learnt_less_has_no_say(samplar, phantoms):
    model, images = samplar(unet_share=0.5), phantoms(seed=5).images
    with torch.no_grad():
        model.sam.beside.counts[:, 1] = 1
        model.sam.beside.counts[:, 0] = torch.tensor([[0.9], [0.1]])
        prefix = model.prefix(images)
        found = model(prefix, images).softmax(dim=1)
        decoded = model.sam.decode(model.embed(prefix))[0].softmax(dim=1)
    assert torch.allclose(found, decoded, atol=1e-5)
