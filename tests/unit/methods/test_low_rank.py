from __future__ import annotations

import pytest
import torch

from samplar.config.base import build
from samplar.config.fit import fit_config
from samplar.errors import UsageError
from samplar.methods.adapted import AdaptedSam
from samplar.methods.registry import load_method
from samplar.sam.pixels import PixelRule, PixelScale
from samplar.sam.weights import load_sam


def sites(model):
    return {name.partition(".a.")[0] for name in model.trained() if ".a." in name}


@pytest.mark.parametrize("name", ["samed", "samed-s", "cheap-lunch"])
def test_blocks_and_rank_decide_where_and_how_wide(adapted, name):
    model = adapted(name, blocks="last:1", rank=7)
    encoder = {site for site in sites(model) if site.startswith("image_encoder")}
    assert encoder == {"image_encoder.layers.3.blocks.0.attn.qkv"}
    tensors = [p for n, p in model.trained().items() if ".a." in n]
    assert {p.shape[0] for p in tensors} == {7}
    assert model.prefix_steps == 7
    assert len({s for s in sites(adapted(name, blocks="all")) if "image_encoder" in s}) == 3


def test_without_encoder_blocks_the_whole_encoder_is_frozen(adapted):
    model = adapted("samed", blocks="none")
    assert sites(model) == set()
    assert model.prefix_steps == len(model.sam.image_encoder.steps())


def test_samed_trains_the_transformer_and_samed_s_adapts_it(adapted):
    whole, small = adapted("samed").trained(), adapted("samed-s").trained()
    plain = "mask_decoder.transformer.layers.0.mlp.lin1.weight"
    assert plain in whole
    assert plain not in small
    assert "mask_decoder.transformer.layers.0.self_attn.q_proj.a.q" in small
    assert not any(".transformer." in n and ".a." in n for n in whole)
    transformer = {n for n in small if ".transformer." in n}
    assert all(".a." in n or ".b." in n for n in transformer)
    assert len(transformer) == 14 * 2


def test_cheap_lunch_places_lora_as_samed_s_does(adapted):
    given = {"rank": 4, "blocks": "all"}
    found = {n: p.shape for n, p in adapted("cheap-lunch", **given).trained().items()}
    assert found == {n: p.shape for n, p in adapted("samed-s", **given).trained().items()}


def test_the_loss_of_a_method_is_its_config(adapted):
    model = adapted("cheap-lunch", loss={"ce": 0.3, "dice": 0.6})
    assert (model.loss.ce, model.loss.dice) == (0.3, 0.6)
    assert adapted("decoder-only", loss={"ce": 0.4}).loss.ce == 0.4
    assert adapted("samed-s", loss={"dice": 0.4}).loss.dice == 0.4
    assert adapted("samed").loss.absent == "count"


def test_refuses_blocks_that_are_not_there(adapted):
    with pytest.raises(UsageError, match="last:9"):
        adapted("samed", blocks="last:9")


def test_samed_h_is_samed_on_the_largest_encoder_with_a_steeper_decay(adapted):
    method, given = load_method("samed-h"), {"dataset": "x", "method": "samed-h"}
    made = fit_config(given, preset="standard", method=method.defaults)
    assert (made.weights, made.training.power, made.training.lr) == ("sam-vit-h", 7.0, 5e-3)
    chosen = {**given, "weights": "tiny", "training": {"power": 2.0}}
    made = fit_config(chosen, preset="paper", method=method.defaults)
    assert (made.weights, made.training.power) == ("tiny", 2.0)
    largest, other = adapted("samed-h"), adapted("samed")
    assert largest.config.model_dump() == other.config.model_dump()
    assert {n: p.shape for n, p in largest.trained().items()} == {
        n: p.shape for n, p in other.trained().items()
    }


IDLE = ("mask_decoder.iou_prediction_head.", "prompt_encoder.point_", "prompt_encoder.mask_")


@pytest.mark.parametrize("name", ["samed", "samed-s"])
def test_what_no_loss_reaches_is_counted_and_saved_and_keeps_its_values(
    adapted, phantoms, taught, name
):
    model = adapted(name)
    before = {n: p.detach().clone() for n, p in model.trained().items() if n.startswith(IDLE)}
    assert len(before) == 6 + 4 + 10  # quality head, point tables, mask convolutions
    taught(model, phantoms(), lr=1e-2)
    after = model.adapter_state()
    assert all(torch.equal(after[n], tensor) for n, tensor in before.items())


@pytest.mark.parametrize("name", ["samed", "samed-s", "cheap-lunch"])
@torch.no_grad()
def test_the_encoder_sees_the_image_as_it_is_unless_told_otherwise(adapted, phantoms, name):
    images = phantoms(size=64).images
    for pixels, scaled in (("unit", images), ("weights", (images - 0.25) / 0.5)):
        sam = load_sam("tiny")
        expected = sam.encode(scaled)
        sam.pixels = PixelScale(PixelRule(mean=(0.25,) * 3, std=(0.5,) * 3))
        method = load_method(name)
        model = AdaptedSam(sam, method, build(method.config, {"pixels": pixels}), 2)
        assert torch.equal(model.embed(model.prefix(images)), expected)
        assert model.detach().pixels.rule.std == (0.5, 0.5, 0.5)
