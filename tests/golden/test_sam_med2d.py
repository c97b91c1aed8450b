"""Our sam-med2d against the published code, on the numbers kept in sam_med2d.safetensors."""

from __future__ import annotations

import pytest
import torch
from golden_recipe import recipe_of
from safetensors.torch import load_file

from samplar.config.loss import MaskLossConfig
from samplar.export.sam_med2d_layout import from_sam_med2d, to_sam_med2d
from samplar.methods import sam_med2d
from samplar.methods.adapted import AdaptedSam
from samplar.methods.interaction import Targets
from samplar.methods.registry import load_method
from samplar.sam.model import Sam, SamShape
from samplar.sam.prompt import Prompts
from samplar.sam.seeded import seeded_state
from samplar.sam.vit import ViTShape
from samplar.training.mask_loss import mask_loss

recipe = recipe_of("sam_med2d")
GOLDEN = load_file(recipe.GOLDEN)
CONFIG = sam_med2d.Config(start="random", loss=MaskLossConfig(quality_of="batch"))


@pytest.fixture(scope="module")
def model():
    shape = ViTShape(
        width=recipe.WIDTH,
        depth=recipe.DEPTH,
        heads=recipe.HEADS,
        global_blocks=recipe.GLOBAL,
        window=recipe.WINDOW,
        grid=recipe.SIZE // 16,
        output=recipe.WIDTH,
    )
    sam = Sam(SamShape(encoder=shape, decoder_hidden=recipe.HIDDEN, image_size=recipe.SIZE))
    sam.load_state_dict(seeded_state(sam.state_dict(), seed=recipe.SEED))
    made = AdaptedSam(sam, load_method("sam-med2d"), CONFIG, 1)
    theirs = seeded_state(to_sam_med2d(made), seed=recipe.SEED)
    from_sam_med2d(made, theirs, path="sam-med2d_b.pth")
    return made


@pytest.fixture(scope="module")
def answers(model):
    """The two passes: asked with a box, then corrected."""
    embedding = model.sam.encode(recipe.images())
    first = sam_med2d._best(*model.sam.decode(embedding, Prompts(boxes=recipe.boxes())))
    prompts = Prompts(*recipe.points(), masks=first.shown(CONFIG))
    with torch.no_grad():
        told = model.sam.encode_prompts(prompts, embedding.detach())
    return embedding, first, sam_med2d._best(*model.sam.decode_encoded(embedding.detach(), *told))


def loss_of(answer):
    truth = recipe.truth()
    rows = Targets(torch.arange(2), truth, torch.ones_like(truth))
    part = sam_med2d._as_pass(answer, rows)
    return mask_loss(part.logits, part.labels, CONFIG.loss, quality=part.quality)


def near(found, name, tolerance):
    torch.testing.assert_close(found, GOLDEN[name], rtol=0, atol=tolerance)


def test_an_adapter_alone(model):
    adapter = model.sam.get_submodule("image_encoder.blocks.1.mlp.added")
    near(adapter(recipe.tokens())[:, ::3, ::3], "adapter", 1e-5)


def test_the_embedding(answers):
    near(answers[0], "embedding", 1e-4)


@pytest.mark.parametrize(("place", "number"), [("first", 1), ("second", 2)])
def test_a_pass(answers, place, number):
    answer = answers[number]
    near(answer.low[:, :: recipe.STEP, :: recipe.STEP], f"{place}.low", 1e-4)
    near(answer.quality[:, None], f"{place}.iou", 1e-4)
    near(loss_of(answer)[None], f"{place}.loss", 2e-6)


def test_the_way_back(model, answers):
    names = {sam_med2d_name(name): p for name, p in model.trained().items()}
    wanted = [names[name] for name in recipe.GRADIENTS]
    found = torch.autograd.grad(loss_of(answers[1]), wanted, retain_graph=True)
    for name, gradient in zip(recipe.GRADIENTS, found, strict=True):
        expected = GOLDEN[f"gradient.{name}"]
        assert (gradient - expected).abs().max() < 1e-3 * expected.abs().max()


def sam_med2d_name(name):
    return name.replace(".mlp.added.", ".Adapter.")
