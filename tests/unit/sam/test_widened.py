from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from samplar.errors import WeightsError
from samplar.sam.cards import TINY_VIT
from samplar.sam.hugging_face import IMAGE_POSITIONS, POSITIONS, hugging_face_state
from samplar.sam.layouts import to_published
from samplar.sam.model import empty_sam
from samplar.sam.seeded import digest_of, seeded_state
from samplar.sam.weights import load_sam
from samplar.sam.widened import to_float32

NAME = "mask_decoder.iou_token.weight"


def state_of(dtype: torch.dtype) -> dict[str, Tensor]:
    state = seeded_state(empty_sam(TINY_VIT.shape).state_dict(), seed=4)
    return {name: tensor.to(dtype) for name, tensor in state.items()}


def every(dtype: torch.dtype) -> Tensor:
    """Return every one of the 65,536 values of a type of 16 bits."""
    return torch.arange(-(1 << 15), 1 << 15, dtype=torch.int32).to(torch.int16).view(dtype)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_every_number_of_16_bits_stays_what_it_is(dtype):
    numbers = every(dtype)
    table, names = to_float32({"a": numbers})
    assert table["a"].dtype == torch.float32
    back = table["a"].to(dtype).view(torch.int16)
    finite = numbers.isfinite()
    assert torch.equal(back[finite], numbers.view(torch.int16)[finite])
    assert table["a"][finite].isfinite().all()
    assert torch.equal(table["a"].isnan(), numbers.isnan())
    assert list(names.values()) == [("a",)]


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [(torch.float16, "float16"), (torch.bfloat16, "bfloat16"), (torch.float64, "float64")],
)
def test_a_file_of_another_float_type_is_used_and_said(tmp_path, dtype, kind):
    state = state_of(dtype)
    path = tmp_path / "own.pth"
    torch.save(state, path)
    sam = load_sam(path)
    assert {tensor.dtype for tensor in sam.state_dict().values()} == {torch.float32}
    assert digest_of(sam.state_dict()) == digest_of({k: v.float() for k, v in state.items()})
    count = len(state)
    assert to_published(state)[1].lines() == [
        f"{count} of {count} tensors widened: {kind} to float32, exactly"
    ]


def test_mixed_types_under_other_names_are_said_each():
    state = state_of(torch.float32)
    norms = [name for name in state if "norm" in name]
    mixed = {name: t if name in norms else t.half() for name, t in state.items()}
    theirs = hugging_face_state(mixed)
    table, report = to_published(theirs)
    assert {tensor.dtype for tensor in table.values()} == {torch.float32}
    renamed, widened = report.lines()
    assert "renamed: names of Hugging Face's SamModel" in renamed
    assert widened.endswith(" tensors widened: float16 to float32, exactly")
    assert len(report.widened["float16"]) == len(state) - len(norms) + 1  # positions, twice


def test_two_position_matrices_of_two_types_are_one_if_their_numbers_are():
    theirs = hugging_face_state(state_of(torch.float16))
    theirs[IMAGE_POSITIONS] = theirs[IMAGE_POSITIONS].float()
    assert to_published(theirs)[0][POSITIONS].dtype == torch.float32


@pytest.mark.parametrize("value", [0.1, 1e300, 1e-60])
def test_a_double_that_float32_cannot_hold_is_refused_by_name(value):
    state = state_of(torch.float64)
    state[NAME][0, :3] = value
    with pytest.raises(WeightsError) as caught:
        to_published(state, path=Path("own.pth"))
    assert caught.value.code == "weights.dtype"
    assert f"{NAME} holds float64" in caught.value.problem
    assert "cannot hold 3 of its 32 values exactly" in caught.value.problem
    assert caught.value.path == "own.pth"


def test_values_that_are_not_finite_are_refused_as_such(tmp_path):
    state = state_of(torch.float64)
    state[NAME][0, :2] = torch.tensor([float("nan"), float("inf")])
    torch.save(state, tmp_path / "own.pth")
    with pytest.raises(WeightsError) as caught:
        load_sam(tmp_path / "own.pth")
    assert caught.value.code == "weights.not_finite"
    assert "2 of 32 values" in caught.value.problem


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.int8, torch.complex64])
def test_other_types_are_left_to_be_refused(tmp_path, dtype):
    state = {**state_of(torch.float32), NAME: torch.ones(1, 32).to(dtype)}
    torch.save(state, tmp_path / "own.pth")
    with pytest.raises(WeightsError) as caught:
        load_sam(tmp_path / "own.pth")
    assert caught.value.code == "weights.dtype"
