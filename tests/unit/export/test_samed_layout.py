from __future__ import annotations

import io

import pytest
import torch

from samplar.errors import UsageError, WeightsError
from samplar.export.samed_layout import FIXED, from_samed, to_samed

BLOCKS = 3  # attention blocks of the encoder of `tiny`
SAMED_S_ONLY = {
    *(f"{kind}_{side}_{n:03d}" for kind in ("sa", "cti", "cit") for side in "ab" for n in range(4)),
    *(f"fati_{part}{side}" for part in "qv" for side in "ab"),
}
"""As the published code writes them: two layers, q and v of each; and the last attention."""


def sam_names(model, *, transformer):
    return {
        name
        for name in model.sam.state_dict()
        if name.startswith(("prompt_encoder.", "mask_decoder."))
        and (transformer or ".transformer." not in name)
    }


def test_samed_writes_its_encoder_and_every_tensor_of_prompt_encoder_and_decoder(adapted):
    model = adapted("samed")
    state = to_samed(model)
    low_rank = {f"w_{side}_{n:03d}" for side in "ab" for n in range(2 * BLOCKS)}
    assert set(state) == low_rank | sam_names(model, transformer=True)
    assert FIXED in state
    assert "mask_decoder.transformer.layers.0.mlp.lin1.weight" in state


@pytest.mark.parametrize("name", ["samed-s", "cheap-lunch"])
def test_samed_s_writes_low_rank_paths_in_place_of_the_transformer(adapted, name):
    model = adapted(name)
    state = to_samed(model)
    low_rank = {f"w_{side}_{n:03d}" for side in "ab" for n in range(2 * BLOCKS)} | SAMED_S_ONLY
    assert set(state) == low_rank | sam_names(model, transformer=False)


def test_every_tensor_is_under_the_name_of_its_place(adapted):
    model = adapted("samed-s")
    for number, parameter in enumerate(model.trained().values()):
        torch.nn.init.constant_(parameter, number)
    state, trained = to_samed(model), model.trained()
    block = "image_encoder.layers.{}.blocks.0.attn.qkv.{}.{}"
    layer = "mask_decoder.transformer.layers.{}.{}.{}_proj.{}.{}"
    last = "mask_decoder.transformer.final_attn_token_to_image.{}_proj.{}.{}"
    expected = {
        "w_a_000": block.format(1, "a", "q"),
        "w_b_001": block.format(1, "b", "v"),
        "w_b_004": block.format(3, "b", "q"),
        "sa_a_000": layer.format(0, "self_attn", "q", "a", "q"),
        "sa_b_001": layer.format(0, "self_attn", "v", "b", "v"),
        "sa_a_002": layer.format(1, "self_attn", "q", "a", "q"),
        "cti_a_003": layer.format(1, "cross_attn_token_to_image", "v", "a", "v"),
        "cit_b_002": layer.format(1, "cross_attn_image_to_token", "q", "b", "q"),
        "fati_qa": last.format("q", "a", "q"),
        "fati_vb": last.format("v", "b", "v"),
        "mask_decoder.iou_token.weight": "mask_decoder.iou_token.weight",
    }
    assert {name: state[name].flatten()[0].item() for name in expected} == {
        name: trained[ours].flatten()[0].item() for name, ours in expected.items()
    }


@pytest.mark.parametrize("name", ["samed", "samed-s", "cheap-lunch"])
def test_written_read_and_written_again_is_the_same(adapted, phantoms, taught, name):
    samples = phantoms()
    source, target = taught(adapted(name), samples), adapted(name, seed=9)
    state = to_samed(source)
    from_samed(target, state, path="theirs.pth")
    again = to_samed(target)
    assert list(again) == list(state)
    assert all(torch.equal(again[key], tensor) for key, tensor in state.items())
    with torch.no_grad():
        images = samples.images
        found, expected = (m(m.prefix(images), images) for m in (target, source))
    assert torch.equal(found, expected)


def test_what_is_written_is_a_copy(adapted):
    model = adapted("samed")
    state = to_samed(model)
    before = state["w_a_000"].clone()
    with torch.no_grad():
        model.trained()["image_encoder.layers.1.blocks.0.attn.qkv.a.q"].add_(1)
    assert torch.equal(state["w_a_000"], before)
    assert not state["w_a_000"].requires_grad


def test_blocks_left_out_are_not_numbered(adapted):
    state = to_samed(adapted("samed", blocks="last:1", rank=2))
    assert {name: tuple(t.shape) for name, t in state.items() if name.startswith("w_")} == {
        "w_a_000": (2, 32),
        "w_b_000": (32, 2),
        "w_a_001": (2, 32),
        "w_b_001": (32, 2),
    }


@pytest.mark.parametrize(
    ("trouble", "code", "told"),
    [
        ("missing", "adapter.keys", "fati_qa"),
        ("extra", "adapter.keys", "w_a_099"),
        ("shape", "adapter.shape", r"\(5, 32\), expected \(4, 32\)"),
        ("nan", "adapter.not_finite", "w_b_000"),
        ("base", "adapter.base", "another SAM"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_and_nothing_is_changed(adapted, trouble, code, told):
    model = adapted("samed-s")
    before = to_samed(model)
    state = {name: tensor + 1 if name != FIXED else tensor for name, tensor in before.items()}
    if trouble == "missing":
        del state["fati_qa"]
    elif trouble == "extra":
        state["w_a_099"] = torch.zeros(1)
    elif trouble == "shape":
        state["sa_a_000"] = torch.zeros(5, 32)
    elif trouble == "nan":
        state["w_b_000"][0, 0] = float("nan")
    else:
        state[FIXED] = state[FIXED] + 1
    with pytest.raises(WeightsError, match=told) as caught:
        from_samed(model, state, path="theirs.pth")
    assert (caught.value.code, caught.value.path) == (code, "theirs.pth")
    assert all(torch.equal(tensor, before[name]) for name, tensor in to_samed(model).items())


@pytest.mark.parametrize(
    ("name", "config", "told"),
    [
        ("decoder-only", {}, "does not train"),
        ("samed", {"blocks": "none"}, "no encoder block has LoRA"),
    ],
)
def test_other_arrangements_are_refused(adapted, name, config, told):
    with pytest.raises(UsageError, match=told) as caught:
        to_samed(adapted(name, **config))
    assert caught.value.code == "export.samed"


def test_what_torch_saves_of_it_reads_back_without_running_anything(adapted):
    state = to_samed(adapted("samed-s"))
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    found = torch.load(file, weights_only=True)
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())
