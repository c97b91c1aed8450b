from __future__ import annotations

import pytest
import torch

from samplar.errors import UsageError
from samplar.methods.adapted import AdaptedSam
from samplar.methods.registry import load_method
from samplar.sam.sites import last_steps
from samplar.sam.weights import load_sam

ALL = {"tiny": 9, "tiny-vit-sam": 7}
"""Steps of each encoder, the pixel statistics of the second included."""


def full(weights="tiny", **config):
    method = load_method("full")
    torch.manual_seed(0)
    return AdaptedSam(load_sam(weights), method, method.config(**config), 2)


@pytest.mark.parametrize(
    ("weights", "depth", "frozen"),
    [
        ("tiny", None, 0),
        ("tiny", 4, 1),
        ("tiny", 2, 5),
        ("tiny", 1, 7),
        ("tiny", 0, 8),
        ("tiny-vit-sam", None, 1),
        ("tiny-vit-sam", 4, 2),
        ("tiny-vit-sam", 1, 5),
    ],
)
@torch.no_grad()
def test_depth_decides_where_the_frozen_prefix_ends(phantoms, weights, depth, frozen):
    model, images = full(weights, depth=depth), phantoms().images
    assert model.prefix_steps == frozen
    before, after = model._steps[:frozen], model._steps[frozen:]
    assert len(before) + len(after) == ALL[weights]
    assert not any(p.requires_grad for _, step in before for p in step.parameters())
    assert all(p.requires_grad for _, step in after for p in step.parameters())
    whole = model.sam.decode(model.sam.encode(images))[0]
    assert torch.equal(model(model.prefix(images), images), whole)


def test_a_vit_trains_its_positions_with_the_rest():
    assert "image_encoder.pos_embed" in full("tiny-vit-sam").trained()
    assert "image_encoder.pos_embed" not in full("tiny-vit-sam", depth=4).trained()


@pytest.mark.parametrize(("weights", "stages"), [("tiny", 4), ("tiny-vit-sam", 4)])
def test_more_stages_than_there_are_is_refused(weights, stages):
    with pytest.raises(UsageError, match=f"depth = 9, but this encoder has {stages} stages") as got:
        full(weights, depth=9)
    assert got.value.code == "config.depth"
    assert f"from 0 to {stages}" in got.value.fix


def test_the_last_steps_come_in_forward_order(tiny_sam):
    names = {id(step): name for name, step in tiny_sam.image_encoder.steps()}
    assert [names[id(step)] for step in last_steps(tiny_sam, 2)] == [
        "layers.2.blocks.0",
        "layers.2.downsample",
        "layers.3.blocks.0",
        "neck",
    ]


def test_the_encoder_learns_more_slowly_and_from_step_to_step():
    model = full(encoder_rate=0.5, layer_decay=0.8, depth=2)
    rates = model.rates
    assert rates["mask_decoder.iou_token.weight"] == 1
    assert rates["prompt_encoder.no_mask_embed.weight"] == 1
    assert rates["image_encoder.neck.0.weight"] == 0.5
    assert rates["image_encoder.layers.3.blocks.0.mlp.fc1.weight"] == pytest.approx(0.5 * 0.8)
    assert rates["image_encoder.layers.2.blocks.0.attn.qkv.bias"] == pytest.approx(0.5 * 0.8**3)
    flat = full().rates
    assert {flat[name] for name in flat if name.startswith("image_encoder.")} == {0.2}
    assert full("tiny-vit-sam", layer_decay=0.5).rates["image_encoder.pos_embed"] == 0.2 * 0.5**5


def test_norms_keep_their_statistics_and_train_scale_and_shift(phantoms, taught, tiny_sam):
    model = taught(full(depth=1), phantoms(), lr=1e-2)
    base, found = tiny_sam.state_dict(), model.sam.state_dict()
    norm = "image_encoder.layers.3.blocks.0.local_conv.bn."
    assert not torch.equal(found[f"{norm}weight"], base[f"{norm}weight"])
    assert not torch.equal(found[f"{norm}bias"], base[f"{norm}bias"])
    still = [name for name in base if "running_" in name or "num_batches" in name]
    still += [
        name for name in base if name.startswith(("image_encoder.patch", "image_encoder.layers.2"))
    ]
    assert len(still) > 40
    assert all(torch.equal(found[name], base[name]) for name in still)


def test_without_a_prefix_the_images_of_the_pool_are_kept_once_and_vary(phantoms, tmp_path):
    from samplar.config.synthesis import SynthesisConfig
    from samplar.synthesis.synthesizer import Synthesizer
    from samplar.training.pool import fill_pool

    maker = Synthesizer(phantoms(1), classes=2, config=SynthesisConfig())
    draws = maker.draw([0] * 6, torch.Generator().manual_seed(0))
    pool = fill_pool(
        full(),
        maker,
        draws,
        precision="fp32",
        memory=0.1,
        folder=tmp_path,
        on_image=lambda done: None,
    )
    assert pool.prefixes is None
    prefix, samples = pool.batch(torch.arange(6))
    assert torch.equal(prefix, samples.images)
    assert torch.equal(prefix, maker.render(draws).images)
    assert len({image.numpy().tobytes() for image in prefix}) >= 5
    pool.close()
