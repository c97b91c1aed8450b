"""The oracles here are `transformers` and `peft` themselves."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import SamModel

from samplar.errors import UsageError
from samplar.export.peft_layout import NO_LAYER, to_peft
from samplar.methods.adapted import AdaptedSam
from samplar.methods.registry import load_method
from samplar.sam.hugging_face import to_hugging_face
from samplar.sam.weights import load_sam

TOLERANCE = 1e-5
QKV = "vision_encoder.layers.{}.attn.qkv"
PREFIX = "base_model.model."

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")


@torch.no_grad()
def logits(model, pixels):
    """All masks of a `SamModel`, which returns either the first or all others."""
    parts = [model(pixel_values=pixels, multimask_output=many) for many in (False, True)]
    return torch.cat([part.pred_masks[:, 0] for part in parts], dim=1)


def load(folder):
    base, report = SamModel.from_pretrained(folder / "base", output_loading_info=True)
    assert not any(report.values())
    return PeftModel.from_pretrained(base.eval(), folder).eval()


def read(folder):
    config = json.loads((folder / "adapter_config.json").read_text())
    return config, load_file(folder / "adapter_model.safetensors")


@pytest.mark.parametrize(
    ("name", "classes", "size"),
    [("samed", 8, 48), ("samed-s", 1, 64), ("cheap-lunch", 3, 80), ("decoder-only", 2, 64)],
)
def test_peft_computes_the_same(saved, exported, name, classes, size):
    made = saved(name, classes=classes, size=size)
    model = load(exported(made, "peft").folder)
    expected = made.logits()
    assert expected.shape[1] == classes + 1
    assert expected.std() > 0.01
    found = logits(model, made.pixels())
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)
    found = logits(model.merge_and_unload(), made.pixels())
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["samed-s", "decoder-only"])
def test_peft_saves_the_same_files(saved, exported, tmp_path, monkeypatch, name):
    folder = exported(saved(name), "peft").folder
    config, tensors = read(folder)
    monkeypatch.chdir(folder)  # where ./base is
    load(folder).save_pretrained(tmp_path / "theirs")
    theirs, their_tensors = read(tmp_path / "theirs")
    assert set(tensors) == set(their_tensors)
    assert all(torch.equal(tensors[key], tensor) for key, tensor in their_tensors.items())
    lists = ("target_modules", "modules_to_save")
    for key in set(config) - {"base_model_name_or_path", "auto_mapping", *lists}:
        assert config[key] == theirs[key], key
    for key in lists:
        assert sorted(config[key]) == sorted(theirs[key])


def test_q_and_v_become_one_pair_of_twice_the_rank(saved, exported):
    made = saved("samed-s", rank=3)
    config, tensors = read(exported(made, "peft").folder)
    layer = made.model.sam.image_encoder.blocks[2].attn.qkv
    down, up = (tensors[f"{PREFIX}{QKV.format(2)}.lora_{side}.weight"] for side in "AB")
    assert torch.equal(down, torch.cat([layer.a["q"], layer.a["v"]]))
    assert torch.equal(up[:32, :3], layer.b["q"])
    assert torch.equal(up[64:, 3:], layer.b["v"])
    assert torch.count_nonzero(up) == layer.b["q"].numel() + layer.b["v"].numel()
    assert (config["r"], config["lora_alpha"], config["use_rslora"]) == (6, 6, False)


def test_decoder_paths_keep_their_rank(saved, exported):
    config, tensors = read(exported(saved("samed-s", rank=3), "peft").folder)
    decoder = [name for name in config["target_modules"] if name.startswith("mask_decoder.")]
    encoder = [QKV.format(block) for block in range(4)]
    assert sorted(config["target_modules"]) == sorted(decoder + encoder)
    assert len(decoder) == 14
    assert config["rank_pattern"] == config["alpha_pattern"] == dict.fromkeys(decoder, 3)
    assert {len(tensors[f"{PREFIX}{name}.lora_A.weight"]) for name in decoder} == {3}


def test_layers_that_train_are_saved_whole(saved, exported):
    config, tensors = read(exported(saved("samed-s"), "peft").folder)
    whole = {name.removeprefix(PREFIX).rpartition(".")[0] for name in tensors if "lora" not in name}
    assert whole == set(config["modules_to_save"])
    assert {
        "mask_decoder.mask_tokens",
        "mask_decoder.output_hypernetworks_mlps.2.proj_out",
        "mask_decoder.upscale_layer_norm",
        "prompt_encoder.no_mask_embed",
        "prompt_encoder.mask_embed.conv3",
    } <= whole
    assert not any("transformer" in name or "vision_encoder" in name for name in whole)


def test_without_low_rank_paths_no_layer_is_targeted(saved, exported):
    config, tensors = read(exported(saved("decoder-only"), "peft").folder)
    assert config["target_modules"] == NO_LAYER
    assert not any("lora" in name for name in tensors)


@pytest.mark.parametrize("classes", [3, 5])
def test_the_base_is_the_base_weights_but_for_what_has_another_shape(saved, exported, classes):
    made = saved("samed", classes=classes, size=64)
    sizes = {name: t.shape for name, t in made.model.merge().state_dict().items()}
    base = SamModel.from_pretrained(exported(made, "peft").folder / "base").state_dict()
    ours = load_sam("tiny-vit-sam").state_dict()
    same = {name for name, shape in sizes.items() if name in ours and ours[name].shape == shape}
    assert all(torch.equal(base[to_hugging_face(name)], ours[name]) for name in same)
    heads = ("mask_decoder.mask_tokens.", "mask_decoder.output_hyper", "mask_decoder.iou_pred")
    assert all(name.startswith(heads) for name in set(sizes) - same)
    assert (not set(sizes) - same) == (classes == 3)


def odd_method(attach):
    method = replace(load_method("decoder-only"), attach=attach)
    return AdaptedSam(load_sam("tiny-vit-sam"), method, method.config(), 2)


def test_a_tensor_that_is_part_of_no_layer_is_refused():
    def attach(sam, config, classes):
        sam.image_encoder.pos_embed.requires_grad_(True)

    model = odd_method(attach)
    with pytest.raises(UsageError, match=r"trains image_encoder\.pos_embed") as caught:
        to_peft(model, model.merge())
    assert caught.value.code == "export.peft"


def test_a_layer_that_trains_beside_its_low_rank_path_is_saved_merged():
    samed = load_method("samed")

    def attach(sam, config, classes):
        samed.attach(sam, samed.config(), classes)
        sam.image_encoder.blocks[1].attn.qkv.base.bias.requires_grad_(True)

    model = odd_method(attach)
    with torch.no_grad():
        model.sam.image_encoder.blocks[1].attn.qkv.b["q"].add_(1.0)
    plain = model.merge()
    adapter = to_peft(model, plain)
    assert list(adapter.pairs) == [QKV.format(block) for block in (0, 2, 3)]
    merged = plain.image_encoder.blocks[1].attn.qkv
    assert torch.equal(adapter.layers[QKV.format(1)]["weight"], merged.weight)
    assert torch.equal(adapter.layers[QKV.format(1)]["bias"], merged.bias)


def test_the_lines_in_the_readme_load_it(saved, exported, readme_code, monkeypatch):
    made = saved("cheap-lunch", size=48)
    folder = exported(made, "peft").folder
    monkeypatch.chdir(folder)
    code = readme_code(folder).replace("torch.zeros(1, 3, 48, 48)", "given")
    names = {"given": made.pixels()}
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102  (samplar wrote it)
    torch.testing.assert_close(names["logits"], made.logits(), rtol=0, atol=TOLERANCE)
