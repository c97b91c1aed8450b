from __future__ import annotations

import re

import pytest
import torch
from safetensors.torch import load_file

from samplar.errors import UsageError
from samplar.export.samed_layout import to_samed
from samplar.sam.model import Sam
from samplar.sam.weights import load_sam

NAMES = {
    "peft": [
        "base/model.safetensors",
        "base/config.json",
        "adapter_model.safetensors",
        "README.md",
        "adapter_config.json",
    ],
    "samed": ["samed.safetensors", "samed.pth", "README.md"],
    "merged": ["sam.safetensors", "sam.pth", "README.md"],
}


@pytest.mark.parametrize("kind", NAMES)
def test_the_files_of_a_kind(saved, exported, kind):
    done = exported(saved("cheap-lunch"), kind)
    assert [str(path.relative_to(done.folder)) for path in done.files] == NAMES[kind]
    found = [path for path in done.folder.rglob("*") if path.is_file()]
    assert sorted(found) == sorted(done.files)
    assert done.size == sum(path.stat().st_size for path in found)


def same_in_both(folder, stem):
    """Return the tensors of a file, read without running anything, equal in both formats."""
    state = load_file(folder / f"{stem}.safetensors")
    pickled = torch.load(folder / f"{stem}.pth", weights_only=True)
    assert list(pickled) != []
    assert set(pickled) == set(state)
    assert all(torch.equal(pickled[name], tensor) for name, tensor in state.items())
    return state


@torch.no_grad()
@pytest.mark.parametrize(
    ("weights", "name", "size"),
    [
        ("tiny-vit-sam", "samed-s", 48),
        ("tiny-vit-sam", "full", 48),
        ("tiny", "samed", 32),
        ("tiny", "decoder-only", 64),
        ("tiny", "full", 64),
    ],
)
def test_a_merged_file_is_a_plain_sam_that_computes_the_same(saved, exported, weights, name, size):
    made = saved(name, weights=weights, size=size, classes=4)
    state = same_in_both(exported(made, "merged").folder, "sam")
    plain = made.model.merge()
    if size != plain.shape.image_size and weights != "tiny":
        assert state["image_encoder.pos_embed"].shape == (1, size // 4, size // 4, 32)
        plain.image_encoder.pos_embed.data = state["image_encoder.pos_embed"]
        for block in (1, 3):
            for axis in "hw":
                table = f"image_encoder.blocks.{block}.attn.rel_pos_{axis}"
                plain.get_parameter(table).data = state[table]
    built = Sam(plain.shape, made.model.sam.pixels.rule).eval()
    assert {n: t.shape for n, t in plain.state_dict().items()} == {
        n: t.shape for n, t in state.items()
    }
    plain.load_state_dict(state)
    found = plain.decode(plain.encode(made.images()))[0]
    torch.testing.assert_close(found, made.logits(), rtol=0, atol=1e-5)
    assert len(built.mask_decoder.output_hypernetworks_mlps) == 5


@pytest.mark.parametrize("name", ["samed", "samed-s", "cheap-lunch"])
def test_an_export_for_samed_is_its_layout(saved, exported, name):
    made = saved(name)
    state = same_in_both(exported(made, "samed").folder, "samed")
    expected = to_samed(made.model)
    assert set(state) == set(expected)
    assert all(torch.equal(state[key], tensor) for key, tensor in expected.items())
    assert "w_a_007" in state


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("zero-shot", "zero-shot trains nothing"),
        ("copy-nearest", "copy-nearest trains nothing"),
        ("linear-probe", "linear-probe trains nothing"),
    ],
)
def test_methods_that_train_nothing_are_refused(saved, exported, kind, name, told):
    with pytest.raises(UsageError, match=told) as caught:
        exported(saved(name), kind)
    assert caught.value.code == "export.method"


def test_what_a_trained_method_remembers_as_well_is_not_lost_silently(saved, exported):
    made = saved("decoder-only")
    made.model.memory = {"mean": torch.zeros(3)}
    from samplar.export.files import files_of

    with pytest.raises(UsageError, match="also works from what it remembers") as caught:
        files_of(made.model, None, kind="merged")
    assert caught.value.code == "export.method"


@pytest.mark.parametrize("kind", ["peft", "samed"])
def test_a_tinyvit_is_refused_where_nobody_could_load_it(saved, exported, kind):
    with pytest.raises(UsageError, match="TinyViT") as caught:
        exported(saved("samed", weights="tiny"), kind)
    assert caught.value.code == "export.encoder"
    assert "--format merged" in caught.value.fix


FOREIGN = {
    "prompt_encoder.class_embed": ("cheap-lunch", {"train_prompts": "per-class"}),
    "unet": ("unet", {"width": 4, "levels": 3}),
}


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("part", FOREIGN)
def test_parts_that_no_sam_has_are_refused(saved, exported, kind, part):
    name, config = FOREIGN[part]
    with pytest.raises(UsageError, match=f"first of all {re.escape(part)}") as caught:
        exported(saved(name, **config), kind)
    assert caught.value.code == "methods.merge"


def test_other_arrangements_than_samed_are_refused(saved, exported):
    with pytest.raises(UsageError) as caught:
        exported(saved("decoder-only"), "samed")
    assert caught.value.code == "export.samed"


def test_the_same_adapter_gives_the_same_bytes(saved, tmp_path):
    from samplar.api.export import export

    made = saved("samed-s")
    for kind in NAMES:
        one, two = (export(made.folder, tmp_path / f"{kind}{n}", kind=kind) for n in range(2))
        for first, second in zip(one.files, two.files, strict=True):
            assert first.read_bytes() == second.read_bytes(), first.name
    assert load_sam("tiny-vit-sam").training is False
