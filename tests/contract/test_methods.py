"""What every registered method must do, found by the registry alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from samplar.config.base import build
from samplar.errors import UsageError
from samplar.methods.contract import Pass
from samplar.methods.lora import LoraLinear, remove_lora
from samplar.methods.registry import cards, load_method
from samplar.prediction.slices import predict_slices
from samplar.sam.pixels import PixelScale
from samplar.sam.seeded import digest_of
from samplar.training.passes import pass_loss

CARDS = cards()
TRAINED = [name for name, card in CARDS.items() if card.trains]
ORACLES = [name for name, card in CARDS.items() if card.oracle]
LEARNT = [name for name, card in CARDS.items() if not card.oracle]

NEW_BY_DESIGN = "sam.mask_decoder.iou_prediction_head."
"""The quality head has one output per mask token; no loss reaches it, so it is new and frozen."""

IDLE = (
    "mask_decoder.iou_prediction_head.",
    "prompt_encoder.point_embeddings.",
    "prompt_encoder.not_a_point_embed.",
    "prompt_encoder.mask_downscaling.",
)
"""What SAMed declares trainable, and saves, though no loss reaches it while SAM is not prompted."""

UNREAD = {
    "autosam-decoder": ("mask_decoder.output_hypernetworks_mlps.1.",),
    "autosam-prompt": ("prompt_encoder.image_prompt.backbone.unread.",),
    "ma-sam": ("mask_decoder.pixels.quality.",),
    "mas-sam": (
        "mask_decoder.output_hypernetworks_mlps.",
        "mask_decoder.output_upscaling.",
        "mask_decoder.transformer.final_attn_token_to_image.",
        "mask_decoder.transformer.norm_final_attn.",
    ),
    "mdsam": ("image_encoder.levels.whole.", "mask_decoder.deep.masks."),
}
"""What a published count has in it as trained though nothing reads what it computes."""

COUNTED = {"samplar": ("beside.counts",)}
"""What training counts, so that no gradient reaches it."""

UNCHOSEN = {"sam-med2d": ("mask_decoder.output_hypernetworks_mlps.",)}
"""Networks of masks that another mask was preferred to: their gradient is zero in that step."""

RATES = {"autosam-decoder": 5e-3, "autosam-prompt": 1e-3, "sam-med2d": 5e-3, "sam-unet": 3e-3}
"""Learning rates to overfit with where 1e-2 sways."""

GOALS = {"autosam-prompt": 0.4}
"""Dice to reach where SAM's decoder has the last word as it is: with made-up weights even the best
of all prompts, sought by gradient, comes to no more than 0.4 to 0.5 in as many steps."""

PLACES = {
    "beside.": "beside",
    "unet.": "instead",
    "task_network.": "instead",
    "image_encoder.": "encoder",
    "mask_decoder.": "decoder",
    "prompt_encoder.no_mask_embed.": "decoder",
    "prompt_encoder.": "prompt",
}
"""What a card's `plugs_in` must say for parameters of this name to train; first match counts."""


def run(model, samples):
    return model(model.prefix(samples.images), samples.images, samples.labels)


def seen_by(sam, model, images):
    if model.method.see is not None:
        return model.method.see(sam, model.config, images)
    return sam.encode(images) if model.method.embeds else images


def gradients(model, samples):
    if model.method.passes is None or model.oracle:
        parts = [Pass(run(model, samples), samples.labels)]
    else:
        prefix, chance = model.prefix(samples.images), torch.Generator().manual_seed(0)
        parts = model.passes(prefix, samples.images, samples.labels, chance=chance)
    for part in parts:
        if part.logits.requires_grad:  # an oracle that is shown nothing asks nothing
            pass_loss(part, model.loss).backward()
    return {name: p.grad for name, p in model.sam.named_parameters() if p.grad is not None}


def idle(name):
    return IDLE + UNREAD.get(name, ()) + COUNTED.get(name, ())


def has_lora(model):
    return any(isinstance(module, LoraLinear) for module in model.modules())


def test_there_are_methods_to_test():
    assert {"cheap-lunch", "samed", "samed-s", "decoder-only", "zero-shot"} <= set(CARDS)
    assert {"full", "unet"} <= set(TRAINED)
    assert {name for name, card in CARDS.items() if card.trivial} == {
        "copy-nearest",
        "linear-probe",
    }


@pytest.mark.parametrize("name", CARDS)
def test_attaching_leaves_the_embedding_of_sam_unchanged(name, adapted, phantoms, tiny_sam):
    images = phantoms().images[:1]  # a batch is summed up in another order than its images
    model = adapted(name)
    tiny_sam.pixels = PixelScale(
        model.sam.pixels.rule
    )  # a method may choose the rule, as SAMed does
    with torch.no_grad():
        found = model.embed(model.prefix(images))
        expected = seen_by(tiny_sam, model, images)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", TRAINED)
def test_low_rank_paths_change_no_logit_until_they_have_learnt(name, adapted, phantoms, taught):
    samples, model = phantoms(), adapted(name)
    bare = copy.deepcopy(model)
    remove_lora(bare.sam, merge=False)
    torch.testing.assert_close(run(model, samples), run(bare, samples), rtol=0, atol=1e-6)
    if has_lora(model):
        taught(model, samples, lr=1e-2)
        bare = copy.deepcopy(model)
        remove_lora(bare.sam, merge=False)
        assert (run(model, samples) - run(bare, samples)).abs().max() > 1e-3


@pytest.mark.parametrize("name", CARDS)
def test_base_weights_are_bit_identical_after_five_steps(name, adapted, phantoms, taught, tiny_sam):
    model = taught(adapted(name, classes=3), phantoms(classes=3))  # four mask tokens, as in SAM
    base = tiny_sam.state_dict()
    kept = {
        name.replace(".base.", "."): tensor
        for name, tensor in model.sam.state_dict().items()
        if name not in model.trained() and not f"sam.{name}".startswith(NEW_BY_DESIGN)
    }
    assert set(kept) <= set(base)
    assert set(base) - set(kept) <= set(model.trained()) | {
        name for name in base if f"sam.{name}".startswith(NEW_BY_DESIGN)
    }
    changed = [name for name, tensor in kept.items() if not torch.equal(tensor, base[name])]
    assert changed == []


@pytest.mark.parametrize("name", TRAINED)
def test_everything_that_trains_moves_and_only_where_the_card_says(name, adapted, phantoms, taught):
    model = adapted(name)
    before = {key: p.detach().clone() for key, p in model.trained().items()}
    taught(model, phantoms())
    still = [key for key, p in model.trained().items() if torch.equal(p, before[key])]
    assert [key for key in still if not key.startswith(idle(name))] == []
    declared = CARDS[name].plugs_in.replace(",", " ").split()
    places = {next(PLACES[p] for p in PLACES if key.startswith(p)) for key in before}
    assert places <= set(declared)


@pytest.mark.parametrize("name", TRAINED)
def test_every_trained_tensor_gets_a_gradient_and_no_other_does(name, adapted, phantoms, taught):
    samples = phantoms()
    model = taught(adapted(name), samples, lr=1e-2)
    model.zero_grad(set_to_none=True)
    found = gradients(model, samples)
    assert set(found) <= set(model.trained())
    assert {key for key in model.trained() if not key.startswith(idle(name))} <= set(found)
    # A softmax does not see what is added to every key alike.
    blind = {key for key in found if key.endswith("k_proj.bias")}
    blind |= {key for key in found if key.startswith(UNCHOSEN.get(name, ("nothing",)))}
    blind |= {key for key in found if ".weigh." in key}  # a gate of two units, both off
    dead = [key for key, gradient in found.items() if not gradient.any() and key not in blind]
    assert dead == []


@pytest.mark.parametrize("name", CARDS)
def test_slices_of_any_size_come_back_finite_on_their_own_pixels(name, adapted, phantoms, taught):
    model = taught(adapted(name), phantoms(), iterations=1)
    chance = np.random.default_rng(0)
    for shape in [(1, 1, 37, 53), (3, 2, 91, 20), (1, 3, 1, 7), (2, 1, 200, 130)]:
        images = chance.random(shape, dtype=np.float32)
        truth = chance.integers(0, 3, (shape[0], *shape[2:])).astype(np.uint8)
        parts = predict_slices(model, images, size=32, precision="fp32", truth=truth)
        logits = torch.cat(list(parts))
        assert logits.shape == (shape[0], 3, *shape[2:])
        assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("shown", ["one class", "background only", "nothing labelled"])
def test_batches_of_one_without_some_class_have_finite_gradients(name, shown, adapted, phantoms):
    samples, model = phantoms(1), adapted(name)
    samples.labels[samples.labels == 2] = 0
    if shown != "one class":
        samples.labels.fill_(0 if shown == "background only" else 255)
    assert all(torch.isfinite(gradient).all() for gradient in gradients(model, samples).values())


@pytest.mark.parametrize("classes", [1, 7])
@pytest.mark.parametrize("name", CARDS)
def test_any_number_of_classes(name, classes, adapted, phantoms, taught):
    samples = phantoms(classes=classes)
    model = taught(adapted(name, classes=classes), samples, iterations=1)
    logits = run(model, samples)
    assert logits.shape[:2] == (2, classes + 1)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", CARDS)
def test_a_saved_adapter_gives_the_same_logits_bit_for_bit(
    name, adapted, phantoms, taught, reloaded
):
    samples, others = phantoms(), phantoms(seed=1)
    model = taught(adapted(name), samples)
    loaded = reloaded(model, size=samples.side)
    with torch.no_grad():
        assert torch.equal(run(loaded, others), run(model, others))


@pytest.mark.parametrize("name", TRAINED)
def test_adapters_on_two_copies_do_not_interact(name, adapted, phantoms, taught):
    samples = phantoms()
    one = adapted(name)
    two = copy.deepcopy(one)
    before = digest_of(two.sam.state_dict())
    expected = run(two, samples)
    taught(one, samples)
    assert digest_of(two.sam.state_dict()) == before
    assert torch.equal(run(two, samples), expected)


@pytest.mark.parametrize("name", CARDS)
def test_one_seed_gives_one_adapter_and_another_another(name, adapted, phantoms, taught):
    def state(seed):
        return digest_of(taught(adapted(name, seed=seed), phantoms(4), seed=seed).adapter_state())

    first = state(0)
    assert state(0) == first
    if name in TRAINED:
        assert state(1) != first


@pytest.mark.parametrize("name", CARDS)
def test_images_of_a_batch_do_not_see_each_other(name, adapted, phantoms, taught):
    # A batch of another size is summed in another order. A method without training thresholds maps
    # and takes the best of some: in single precision it may be near enough to a tie to see that.
    samples = phantoms(4)
    model, turned = taught(adapted(name), samples), torch.tensor([2, 0, 3, 1])
    kinds = [(torch.float32, 1e-5)] if name in TRAINED else []
    for kind, tolerance in (*kinds, (torch.float64, 1e-9)):
        model, images = model.to(kind), samples.images.to(kind)
        with torch.no_grad():
            whole, other, alone = (
                model(model.prefix(images[rows]), images[rows], samples.labels[rows])
                for rows in (torch.arange(4), turned, torch.tensor([2]))
            )
        torch.testing.assert_close(other, whole[turned], rtol=0, atol=tolerance)
        torch.testing.assert_close(alone, whole[2:3], rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", CARDS)
def test_an_unknown_setting_is_refused_with_the_nearest_name(name):
    config = load_method(name).config
    for field in config.model_fields:
        wrong = field + "_"
        with pytest.raises(UsageError, match=f"{wrong} is not a setting, did you mean {field}?"):
            build(config, {wrong: 1})
    with pytest.raises(UsageError, match="zzz is not a setting"):
        build(config, {"zzz": 1})


@pytest.mark.parametrize("name", ORACLES)
def test_oracles_refuse_images_without_labels(name, adapted, phantoms):
    model, images = adapted(name), phantoms().images
    with pytest.raises(UsageError) as caught:
        model(model.prefix(images), images)
    assert caught.value.code == "methods.oracle"


@pytest.mark.parametrize("name", LEARNT)
def test_other_methods_do_not_look_at_the_labels(name, adapted, phantoms, taught):
    samples = phantoms()
    model = taught(adapted(name), samples)
    with torch.no_grad():
        blind = model(model.prefix(samples.images), samples.images)
        assert torch.equal(blind, run(model, samples))


class LearntError(Exception):
    """What ends a training that has learnt its phantom."""


@torch.no_grad()
def worst_dice(model, samples):
    found, true = run(model, samples).argmax(dim=1), samples.labels
    pairs = [(found == index, true == index) for index in (1, 2)]
    return min(float(2 * (a & b).sum() / (a.sum() + b.sum())) for a, b in pairs)


@pytest.mark.parametrize("name", TRAINED)
def test_overfits_one_phantom(name, adapted, phantoms, taught):
    samples, model, goal = phantoms(1), adapted(name), GOALS.get(name, 0.95)

    def look(step, loss):
        if step % 10 == 0 and worst_dice(model, samples) >= goal:
            raise LearntError

    assert worst_dice(model, samples) < min(0.6, goal - 0.1)
    with pytest.raises(LearntError):
        taught(model, samples, iterations=180, batch=1, lr=RATES.get(name, 1e-2), on_step=look)
