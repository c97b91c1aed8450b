from __future__ import annotations

import pytest
import torch

from samplar.api.methods import list_methods
from samplar.methods.prior_maps import fused
from samplar.methods.registry import load_method
from samplar.methods.samaug import passes
from samplar.sam.weights import countable_sam

SMALL = {"width": 4, "levels": 3, "grid": 2, "sure": -1.0, "stable": 0.0}


@pytest.fixture
def samaug(adapted):
    def make(**config):
        return adapted("samaug", **SMALL | config)

    return make


def generator():
    return torch.Generator().manual_seed(0)


def asked(model, images):
    prefix = model.prefix(images)
    network = model.sam.get_submodule("task_network")
    raw = fused(images, torch.zeros_like(prefix), model.config.fusion)
    return network(raw), network(fused(images, prefix, model.config.fusion))


def test_nothing_of_sam_trains_and_the_maps_are_its_frozen_prefix(samaug, phantoms):
    model, images = samaug(), phantoms().images
    assert all(name.startswith("task_network.") for name in model.trained())
    assert model.prefix_steps == 1
    maps = model.prefix(images)
    assert maps.shape == (2, 2, 32, 32)
    assert maps[:, 1].any()
    assert torch.equal(model.embed(maps), maps)


def test_with_maps_added_it_is_as_large_as_the_network_alone():
    rows = {row["name"]: row["trainable_parameters"] for row in list_methods(weights="tiny")}
    assert rows["samaug"] == rows["unet"]


@pytest.mark.parametrize(("fusion", "inputs"), [("add", 3), ("stack", 5), ("replace", 3)])
@pytest.mark.parametrize("network", ["unet", "segresnet"])
@torch.no_grad()
def test_any_network_sees_any_kind_of_image(samaug, phantoms, fusion, inputs, network):
    model, images = samaug(network=network, fusion=fusion), phantoms(size=20).images
    first = next(p for p in model.trained().values() if p.dim() == 4)
    assert first.shape[1] == inputs
    assert model(model.prefix(images), images).shape == (2, 3, 20, 20)


@pytest.mark.parametrize("network", ["unet", "segresnet"])
def test_a_network_keeps_no_statistics(network):
    sam, method = countable_sam("lite-medsam").requires_grad_(False), load_method("samaug")
    before = {name for name, _ in sam.named_buffers()}
    method.attach(sam, method.config(network=network, levels=3), 2)
    assert {name for name, _ in sam.named_buffers()} == before


@torch.no_grad()
def test_what_answers_in_use(samaug, phantoms):
    images = phantoms().images
    models = {kind: samaug(answer=kind) for kind in ("augmented", "average", "entropy", "distance")}
    raw, augmented = asked(models["average"], images)
    assert (raw - augmented).abs().max() > 1e-4
    found = {kind: model(model.prefix(images), images) for kind, model in models.items()}
    torch.testing.assert_close(found["augmented"], augmented)
    mean = (raw.softmax(dim=1) + augmented.softmax(dim=1)) / 2
    torch.testing.assert_close(found["average"].softmax(dim=1), mean)
    for kind in ("entropy", "distance"):
        for number in range(2):
            assert any(
                torch.allclose(found[kind][number], whole[number]) for whole in (raw, augmented)
            )


def test_raw_and_augmented_images_are_learnt_together_or_in_two_steps(samaug, phantoms):
    samples = phantoms()
    for learn, sizes in (("both", [4]), ("augmented", [2]), ("steps", [2, 2])):
        model = samaug(learn=learn)
        given = (model.prefix(samples.images), samples.images, samples.labels)
        parts = list(model.passes(*given, chance=generator()))
        assert [len(part.logits) for part in parts] == sizes
        raw, augmented = asked(model, samples.images)
        expected = {"both": [raw, augmented], "augmented": [augmented], "steps": [raw, augmented]}
        torch.testing.assert_close(
            torch.cat([part.logits for part in parts]), torch.cat(expected[learn])
        )
        labels = torch.cat([part.labels for part in parts])
        assert torch.equal(labels, samples.labels.repeat(len(labels) // 2, 1, 1))


def test_between_two_steps_the_weights_are_new(samaug, phantoms):
    samples, model = phantoms(), samaug(learn="steps")
    given = (model.prefix(samples.images), samples.images, samples.labels)
    steps = model.passes(*given, chance=generator())
    next(steps)
    with torch.no_grad():
        for parameter in model.trained().values():
            parameter.mul_(0)
    assert not next(steps).logits.any()


def test_no_gradient_passes_through_sam(samaug, phantoms, taught):
    model = taught(samaug(), phantoms(), iterations=1)
    assert all(p.grad is None for n, p in model.sam.named_parameters() if n not in model.trained())


def test_passes_are_for_training(samaug, phantoms):
    images, model = phantoms().images, samaug()
    batch = model._batch(model.prefix(images), images, None)
    with pytest.raises(ValueError, match="for training"):
        next(passes(model.sam, model.config, batch, {}))
