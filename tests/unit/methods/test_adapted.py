from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from samplar.errors import WeightsError
from samplar.methods.adapted import AdaptedSam
from samplar.methods.registry import load_method


def test_the_prefix_keeps_no_graph_and_the_rest_does(adapted, phantoms):
    model, images = adapted("samed", blocks="last:1"), phantoms().images
    prefix = model.prefix(images)
    assert not prefix.requires_grad
    assert model.embed(prefix).requires_grad
    assert model.prefix_steps == 7


def test_a_method_that_adds_nothing_caches_the_whole_encoder(adapted, phantoms, tiny_sam):
    model, images = adapted("copy-nearest"), phantoms().images
    assert model.prefix_steps == len(tiny_sam.image_encoder.steps())
    with torch.no_grad():
        assert torch.equal(model.prefix(images), tiny_sam.encode(images))


@pytest.mark.parametrize(
    ("blocks", "recompute", "prefix"),
    [("all", False, 3), ("all", True, 3), ("last:1", False, 4), ("last:1", True, 4)],
)
def test_taps_are_what_the_named_steps_made(blocks, recompute, prefix, adapted, phantoms):
    """The frozen part reaches to the first tap at most: one tensor an image is kept."""
    images, seen, tiny_sam = phantoms().images, [], adapted("zero-shot").sam
    model = adapted("mas-sam", blocks=blocks)  # its adapters start at nothing
    model.recompute = recompute
    assert model.prefix_steps == prefix
    x = images
    for name, step in tiny_sam.steps():
        x = step(x)
        seen.append((name, x))
    batch = model._batch(model.prefix(images), images, None)
    tapped = model.method.taps(tiny_sam, model.config)
    for name, tap in zip(tapped, batch.taps, strict=True):
        torch.testing.assert_close(tap, dict(seen)[name], rtol=0, atol=1e-5)
    torch.testing.assert_close(batch.embedding, x, rtol=0, atol=1e-5)


def test_the_state_is_what_trains_and_what_is_remembered(adapted, phantoms, taught):
    trained = adapted("decoder-only")
    assert set(trained.adapter_state()) == set(trained.trained())
    remembering = taught(adapted("linear-probe"), phantoms())
    assert set(remembering.adapter_state()) == {"memory.weight"}


def test_loading_puts_every_tensor_in_its_place(adapted, phantoms, taught):
    source, target = taught(adapted("samed-s"), phantoms()), adapted("samed-s", seed=9)
    target.load_adapter_state(source.adapter_state(), path="here")
    for name, tensor in source.adapter_state().items():
        assert torch.equal(target.trained()[name], tensor)


@pytest.mark.parametrize("trouble", ["missing", "extra", "shape"])
def test_a_state_that_does_not_fit_is_refused_and_nothing_is_loaded(adapted, trouble):
    model = adapted("decoder-only")
    state = {name: torch.full_like(t, 5.0) for name, t in model.adapter_state().items()}
    before = model.adapter_state()
    before = {name: tensor.clone() for name, tensor in before.items()}
    victim = "mask_decoder.iou_token.weight"
    if trouble == "missing":
        del state[victim]
    elif trouble == "extra":
        state["mask_decoder.iou_tokens"] = torch.zeros(1)
    else:
        state[victim] = torch.zeros(2, 32)
    with pytest.raises(WeightsError) as caught:
        model.load_adapter_state(state, path="adapter.safetensors")
    assert caught.value.code == ("adapter.shape" if trouble == "shape" else "adapter.keys")
    assert "iou_token" in caught.value.problem
    assert all(torch.equal(t, before[name]) for name, t in model.adapter_state().items())


def test_classes_of_another_number_do_not_fit(adapted):
    with pytest.raises(WeightsError):
        adapted("samed", classes=3).load_adapter_state(
            adapted("samed", classes=2).adapter_state(), path="here"
        )


@pytest.mark.parametrize("method", ["samed", "full"])
def test_recomputing_keeps_less_and_gives_the_same_gradients(adapted, phantoms, method):
    images = phantoms().images
    found = {}
    for again in (False, True):
        model = adapted(method)
        model.recompute = again
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, kept=kept: kept.append(t.nbytes) or t, lambda t: t
        ):
            embedding = model.embed(model.prefix(images))
        embedding.square().sum().backward()
        gradients = {n: p.grad for n, p in model.trained().items() if p.grad is not None}
        found[again] = sum(kept), gradients
    assert found[True][0] < 0.4 * found[False][0]
    assert found[True][1].keys() == found[False][1].keys()
    for name, gradient in found[False][1].items():
        assert torch.equal(found[True][1][name], gradient), name


@pytest.mark.parametrize(("name", "frozen"), [("decoder-only", 1), ("full", 0)])
@torch.no_grad()
def test_what_a_method_sees_is_kept_unless_the_encoder_trains(name, frozen, tiny_sam, phantoms):
    def see(sam, config, images):
        return 2 * sam.encode(images)

    images, expected = phantoms().images, 2 * tiny_sam.encode(phantoms().images)
    method = replace(load_method(name), see=see)
    model = AdaptedSam(tiny_sam, method, method.config(), 2)
    assert model.prefix_steps == frozen
    prefix = model.prefix(images)
    assert torch.equal(prefix, expected if frozen else images)
    assert torch.equal(model.embed(prefix), expected)
