from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from reference_sam import reference_of
from torch import Tensor

from samplar.errors import WeightsError
from samplar.sam.cards import LITE_MEDSAM, MOBILE_SAM, SAM_MED2D_B, TINY_VIT, WEIGHTS, WeightsCard
from samplar.sam.convert import check_state, read_checkpoint
from samplar.sam.hugging_face import (
    IMAGE_POSITIONS,
    POSITIONS,
    SHARED_POSITIONS,
    hugging_face_state,
)
from samplar.sam.layouts import RULES, to_published
from samplar.sam.model import empty_sam
from samplar.sam.seeded import digest_of, seeded_state
from samplar.sam.weights import load_sam

State = dict[str, Tensor]
PREFIX, HUGGING_FACE, HEAD, ADAPTERS = (rule.name for rule in RULES)


def state_of(card: WeightsCard = TINY_VIT) -> State:
    return seeded_state(empty_sam(card.shape).state_dict(), seed=4)


def names_of(card: WeightsCard) -> State:
    """Names alone are looked at: a table of very small tensors."""
    return {name: torch.zeros(1) for name in empty_sam(card.shape).state_dict()}


def refused(state: State) -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        check_state(to_published(state)[0], empty_sam(TINY_VIT.shape).state_dict())
    return caught.value


def test_the_published_layout_is_left_alone():
    state = state_of()
    table, report = to_published(state)
    assert all(table[name] is tensor for name, tensor in state.items())
    assert (report.found, report.renamed, report.left_out) == (len(state), {}, {})
    assert report.lines() == []


def test_data_parallel_training_puts_a_prefix_before_every_name():
    state = state_of()
    table, report = to_published({f"module.{name}": tensor for name, tensor in state.items()})
    assert digest_of(table) == digest_of(state)
    assert report.lines() == [f"{len(state)} of {len(state)} tensors renamed: {PREFIX}"]


def test_a_prefix_before_some_names_only_is_no_layout():
    state = state_of()
    name = "prompt_encoder.no_mask_embed.weight"
    state[f"module.{name}"] = state.pop(name)
    assert "1 missing (prompt_encoder.no_mask_embed.weight)" in refused(state).problem


@pytest.mark.parametrize("held", [(SHARED_POSITIONS,), (IMAGE_POSITIONS,), ()])
def test_hugging_faces_names_with_either_position_matrix_or_both(held):
    state = state_of()
    theirs = hugging_face_state(state)
    for name in held:
        del theirs[name]
    table, report = to_published(theirs)
    assert digest_of(table) == digest_of(state)
    assert set(report.renamed) == {HUGGING_FACE}
    renamed = set(report.renamed[HUGGING_FACE])
    assert {name for name in theirs if name.startswith("vision_encoder.")} < renamed
    assert "mask_decoder.iou_token.weight" not in renamed  # it has one name in both
    assert report.found == len(theirs)


def test_two_position_matrices_that_differ_are_refused():
    theirs = hugging_face_state(state_of())
    theirs[IMAGE_POSITIONS] = theirs[IMAGE_POSITIONS] + 1
    error = refused(theirs)
    assert error.code == "weights.keys"
    assert f"two different tensors for {POSITIONS}" in error.problem


def test_what_transformers_saves_is_what_we_read(tmp_path):
    state = state_of()
    sam = empty_sam(TINY_VIT.shape)
    sam.load_state_dict(state, assign=True)
    reference_of(sam, 64).save_pretrained(tmp_path)
    assert digest_of(load_sam(tmp_path).state_dict()) == digest_of(state)
    assert digest_of(load_sam(tmp_path / "model.safetensors").state_dict()) == digest_of(state)


def test_mobile_sams_head_is_left_out_by_name():
    head = {
        "image_encoder.norm_head.weight": torch.ones(2),
        "image_encoder.norm_head.bias": torch.ones(2),
        "image_encoder.head.weight": torch.ones(3, 2),
        "image_encoder.head.bias": torch.ones(3),
    }
    state = names_of(MOBILE_SAM)
    table, report = to_published({**state, **head})
    assert table.keys() == state.keys()
    assert report.left_out == {HEAD: tuple(head)}
    assert report.lines() == [f"4 of {len(state) + 4} tensors left out: {HEAD}"]


def test_a_vit_has_no_head_to_leave_out():
    error = refused({**state_of(), "image_encoder.head.weight": torch.ones(3, 2)})
    assert "1 unexpected (image_encoder.head.weight)" in error.problem


def test_sam_med2ds_adapters_are_left_out_by_name():
    adapters = {
        f"image_encoder.blocks.{block}.Adapter.{part}.weight": torch.ones(1)
        for block in range(12)
        for part in ("channel.0", "channel.2", "spatial.0", "spatial.2", "norm")
    }
    state = names_of(SAM_MED2D_B)
    table, report = to_published({**state, **adapters})
    assert table.keys() == state.keys()
    assert report.left_out == {ADAPTERS: tuple(adapters)}


def test_adapters_of_other_methods_are_refused_by_name():
    name = "image_encoder.blocks.0.MLP_Adapter.D_fc1.weight"
    error = refused({**state_of(), name: torch.ones(2, 2)})
    assert error.code == "weights.keys"
    assert f"1 unexpected ({name})" in error.problem


def test_nothing_at_all():
    assert to_published({})[0] == {}


def medsam(state: State) -> object:
    return {"model": state, "optimizer": {"state": {}, "param_groups": []}, "epoch": 3}


def with_adam(state: State) -> object:
    weight = torch.nn.Parameter(torch.ones(2))
    optimiser = torch.optim.Adam([weight])
    weight.sum().backward()
    optimiser.step()
    return {"model": state, "optimizer": optimiser}


@pytest.mark.parametrize("wrap", [dict, medsam, with_adam, hugging_face_state])
def test_every_wrapping_gives_the_same_model(tmp_path, wrap: Callable[[State], object]):
    path = tmp_path / "weights.bin"
    torch.save(wrap(state_of()), path)
    assert digest_of(load_sam(path).state_dict()) == digest_of(state_of())


def test_loading_after_eval_is_not_stale():
    """The published TinyViT keeps a table of attention biases made when it switches to eval."""
    card = WEIGHTS["tiny"]
    fresh, late = (load_sam("tiny") for _ in range(2))
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = late.eval().encode(image)
        other = seeded_state(late.state_dict(), seed=8)
        late.load_state_dict(other)
        fresh.load_state_dict(other)
        assert torch.equal(late.encode(image), fresh.eval().encode(image))
        assert not torch.allclose(late.encode(image), before)
    assert card.architecture == LITE_MEDSAM.architecture


def test_reading_leaves_the_file_as_it_was(tmp_path: Path):
    path = tmp_path / "weights.pth"
    torch.save(medsam(state_of()), path)
    before = sha256(path.read_bytes()).hexdigest()
    to_published(read_checkpoint(path), path=path)
    assert sha256(path.read_bytes()).hexdigest() == before
