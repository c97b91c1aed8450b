from __future__ import annotations

import itertools

import pytest
import torch

from samplar.errors import UsageError, WeightsError
from samplar.export.sam_med2d_layout import from_sam_med2d, to_sam_med2d
from samplar.methods import sam_med2d
from samplar.sam.seeded import digest_of


def passes(model, samples, seed=0):
    chance = torch.Generator().manual_seed(seed)
    return model.passes(model.prefix(samples.images), samples.images, samples.labels, chance=chance)


def test_it_is_asked_once_and_corrected_as_often_as_said(adapted, phantoms):
    model = adapted("sam-med2d", rounds=3, masks=2)
    for number, part in enumerate(passes(model, phantoms())):
        assert part.logits.shape == (4, 2, 32, 32)
        assert not part.logits[:, 0].any()
        assert part.quality.shape == (4,)
        model.zero_grad(set_to_none=True)
        part.logits.square().sum().backward()
        learning = {n.split(".")[0] for n, p in model.trained().items() if p.grad is not None}
        first = {"image_encoder", "prompt_encoder", "mask_decoder"}
        assert learning == (first if number == 0 else {"mask_decoder"})
    assert number == 3


def test_a_correction_is_answered_with_the_weights_of_then(adapted, phantoms):
    model = adapted("sam-med2d", rounds=1)
    plain = [part.logits.detach() for part in passes(model, phantoms())]
    changed = []
    for part in passes(model, phantoms()):
        changed.append(part.logits.detach())
        with torch.no_grad():
            model.sam.mask_decoder.iou_token.weight.add_(1)
    assert torch.equal(plain[0], changed[0])
    assert not torch.equal(plain[1], changed[1])


def test_points_are_left_out_once_and_at_the_end(adapted, phantoms, monkeypatch):
    model, seen = adapted("sam-med2d", rounds=8), []
    encode = type(model.sam).encode_prompts

    def spy(sam, prompts, embedding):
        seen.append(prompts)
        return encode(sam, prompts, embedding)

    monkeypatch.setattr(type(model.sam), "encode_prompts", spy)
    list(passes(model, phantoms()))
    bare = [n for n, prompts in enumerate(seen[1:]) if prompts.points is None]
    assert len(bare) == 2
    assert 1 <= bare[0] <= 6
    assert bare[1] == 7
    masks = [prompts.masks for prompts in seen[1:]]
    assert all(m.min() >= 0 and m.max() <= 1 and not m.requires_grad for m in masks)


def test_the_best_of_the_three_masks_is_chosen():
    masks = torch.arange(4.0).view(1, 4, 1, 1).expand(2, -1, 2, 2)
    quality = torch.tensor([[9.0, 0, 2, 1], [9.0, 3, 2, 1]])
    answer = sam_med2d._best(masks, quality)
    assert answer.low[:, 0, 0].tolist() == [2, 1]
    assert answer.quality.tolist() == [2, 3]


def test_more_clicks_are_corrections_of_the_answer(adapted, phantoms, monkeypatch):
    model, seen = adapted("sam-med2d", prompt="points", clicks=3), []
    ask = sam_med2d._ask

    def spy(sam, batch, targets, prompts):
        answer = ask(sam, batch, targets, prompts)
        seen.append((prompts, answer.found((32, 32)), targets))
        return answer

    monkeypatch.setattr(sam_med2d, "_ask", spy)
    samples = phantoms()
    with torch.no_grad():
        model(model.prefix(samples.images), samples.images, samples.labels)
    assert [prompts.points.shape[1] for prompts, _, _ in seen] == [1, 2, 3]
    for (_, found, targets), (prompts, _, _) in itertools.pairwise(seen):
        assert prompts.masks is not None
        for row, ((x, y), label) in enumerate(
            zip(prompts.points[:, -1].long().tolist(), prompts.labels[:, -1].tolist(), strict=True)
        ):
            assert bool(found[row, y, x]) != bool(targets.truth[row, y, x])
            assert label == int(targets.truth[row, y, x])


def test_the_authors_checkpoint_goes_in_and_out(adapted):
    model, other = (adapted("sam-med2d", start="random", seed=seed) for seed in (0, 1))
    theirs = to_sam_med2d(model)
    assert "image_encoder.layers.1.blocks.0.Adapter.channel.0.weight" in theirs
    assert "image_encoder.layers.1.blocks.0.mlp.fc1.weight" in theirs
    from_sam_med2d(other, theirs, path="theirs.pth")
    assert digest_of(other.adapter_state()) == digest_of(model.adapter_state())
    before = digest_of(model.adapter_state())
    frozen = "image_encoder.neck.0.weight"
    for change, code in (
        ({frozen: theirs[frozen] + 1}, "adapter.base"),
        ({"more": theirs[frozen]}, "adapter.keys"),
        ({"mask_decoder.iou_token.weight": torch.full((1, 32), torch.nan)}, "adapter.not_finite"),
    ):
        wrong = {**theirs, **change}
        with pytest.raises(WeightsError) as caught:
            from_sam_med2d(model, wrong, path="theirs.pth")
        assert caught.value.code == code
    assert digest_of(model.adapter_state()) == before
    with pytest.raises(UsageError) as refused:
        to_sam_med2d(adapted("med-sa"))
    assert refused.value.code == "export.sam_med2d"
