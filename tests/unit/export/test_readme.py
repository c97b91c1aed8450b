from __future__ import annotations

import pytest

from samplar.sam.weights import find_card


def words(done):
    return " ".join((done.folder / "README.md").read_text().split())


@pytest.mark.parametrize("kind", ["peft", "samed", "merged"])
def test_says_what_went_in_and_what_comes_out(saved, exported, kind):
    made = saved("cheap-lunch", classes=3, size=48, pixels="weights")
    text = words(exported(made, kind))
    assert "Method `cheap-lunch` on base weights `tiny-vit-sam`" in text
    assert find_card("tiny-vit-sam").sha256 in text
    assert "(b, 3, 48, 48)" in text
    assert "(window:-125:275)" in text
    assert "mean (0.485, 0.456, 0.406) and std (0.229, 0.224, 0.225)" in text
    assert "Logits (b, 4, h, w)" in text
    assert "- 1: organ 1 - 2: organ 2 - 3: organ 3" in text
    assert "Not a medical device" in text
    assert "No prompt. ##" in text


def test_says_where_samplar_itself_would_point(saved, exported):
    text = words(exported(saved("cheap-lunch", test_prompts="locator"), "merged"))
    assert "No prompt. Samplar's own predictions with this adapter differ: they use its own" in text


def test_says_which_pixels_the_method_chose(saved, exported):
    text = words(exported(saved("samed"), "merged"))
    assert "mean (0.0, 0.0, 0.0) and std (1.0, 1.0, 1.0)" in text


def test_says_how_samed_reads_it(saved, exported):
    text = words(exported(saved("samed", classes=8, size=64), "samed"))
    assert 'net.load_lora_parameters("samed.pth")' in text
    assert "--img_size 64 --num_classes 8" in text


def test_has_no_lines_for_an_encoder_the_original_lacks(saved, exported, readme_code):
    done = exported(saved("samed", weights="tiny"), "merged")
    assert "TinyViT, as in MobileSAM and LiteMedSAM" in words(done)
    with pytest.raises(ValueError, match="not enough values"):
        readme_code(done.folder)


def test_the_lines_for_the_original_are_python_with_the_sizes(saved, exported, readme_code):
    code = readme_code(exported(saved("samed", classes=8, size=48), "merged").folder)
    compile(code, "README.md", "exec")
    for part in (
        "img_size=48, patch_size=4, embed_dim=32",
        "depth=4, num_heads=2",
        "global_attn_indexes=(1, 3), window_size=5",
        "image_embedding_size=(12, 12)",
        "num_multimask_outputs=8, transformer_dim=32",
        "mlp_dim=64, num_heads=8",
    ):
        assert part in code
