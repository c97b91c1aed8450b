"""Checkpoints that are damaged, or of something else: refused with what was expected and found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from samplar.errors import WeightsError
from samplar.sam.cards import TINY_VIT
from samplar.sam.hugging_face import hugging_face_state
from samplar.sam.model import empty_sam
from samplar.sam.seeded import seeded_state
from samplar.sam.weights import find_card, load_sam

State = dict[str, Tensor]
QKV = "image_encoder.blocks.2.attn.qkv.weight"
TOKEN = "mask_decoder.iou_token.weight"  # noqa: S105


def good() -> State:
    return seeded_state(empty_sam(TINY_VIT.shape).state_dict(), seed=6)


def refused(path: Path) -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        load_sam(path)
    assert caught.value.path == str(path)
    assert caught.value.exit_status == 5
    return caught.value


def replaced(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[], State]:
    return lambda: {**good(), name: change(good()[name])}


def without(name: str) -> Callable[[], State]:
    return lambda: {key: tensor for key, tensor in good().items() if key != name}


def poisoned(value: float) -> Callable[[Tensor], Tensor]:
    def put(tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[3] = value
        return tensor

    return put


def lora_file() -> State:
    return {"w_a_000": torch.ones(4, 32), "w_b_000": torch.ones(32, 4), TOKEN: torch.ones(1, 32)}


def resnet() -> State:
    return {"conv1.weight": torch.ones(64, 3, 7, 7), "fc.bias": torch.ones(1000)}


FAULTS = {
    "a tensor missing": (without(TOKEN), "keys", f"1 missing ({TOKEN}), 0 unexpected"),
    "a tensor too many": (
        lambda: {**good(), "image_encoder.blocks.0.extra": torch.ones(1)},
        "keys",
        "1 unexpected (image_encoder.blocks.0.extra)",
    ),
    "another size": (
        replaced(QKV, lambda t: t[:, :16]),
        "shape",
        f"{QKV} has shape (96, 16), expected (96, 32)",
    ),
    "turned": (
        replaced("image_encoder.blocks.1.mlp.lin1.weight", lambda t: t.T),
        "shape",
        "has shape (32, 128), expected (128, 32)",
    ),
    "whole numbers": (
        replaced(QKV, lambda t: t.int()),
        "dtype",
        f"{QKV} holds torch.int32, expected torch.float32",
    ),
    "not a number": (
        replaced(QKV, poisoned(float("nan"))),
        "not_finite",
        f"{QKV} has 1 of 3072 values that are not finite",
    ),
    "infinite": (replaced(TOKEN, poisoned(float("inf"))), "not_finite", "1 of 32 values"),
}
ALIEN = {
    "an adapter alone": (lora_file, "found 3 tensors, w_a_000, w_b_000"),
    "another network": (resnet, "found 2 tensors, conv1.weight, fc.bias"),
    "an encoder alone": (
        lambda: {n: t for n, t in good().items() if n.startswith("image_encoder.")},
        "expected a SAM with a ViT or a TinyViT encoder",
    ),
    "nothing": (dict, "found 0 tensors"),
}


@pytest.mark.parametrize("layout", [dict, hugging_face_state], ids=["published", "hugging face"])
@pytest.mark.parametrize(("make", "code", "says"), FAULTS.values(), ids=list(FAULTS))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_refused_with_what_was_expected_and_found(tmp_path, make, code, says, layout):
    path = tmp_path / "weights.pth"
    torch.save(layout(make()), path)
    error = refused(path)
    assert error.code == f"weights.{code}"
    assert says in error.problem


@pytest.mark.parametrize(("make", "says"), ALIEN.values(), ids=list(ALIEN))
def test_files_of_no_sam_at_all(tmp_path, make, says):
    path = tmp_path / "weights.pth"
    torch.save(make(), path)
    error = refused(path)
    assert error.code == "weights.architecture"
    assert says in error.problem


@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("kind", ["zip", "pickle", "safetensors"])
def test_a_checkpoint_cut_short_is_refused(tmp_path, kind, part):
    path = tmp_path / "weights"
    if kind == "safetensors":
        safetensors.torch.save_file(good(), path)
    else:
        torch.save(good(), path, _use_new_zipfile_serialization=kind == "zip")
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    error = refused(path)
    assert error.code == "weights.damaged"
    assert f"{int(part * len(data)):,} bytes" in error.problem
    with pytest.raises(WeightsError):
        find_card(path)


def by_hand(module: str, name: str, *, arguments: bytes = b"(t", ending: bytes = b"R.") -> bytes:
    """A pickle that names module.name, gives it arguments and does `ending`."""
    return b"\x80\x02" + f"c{module}\n{name}\n".encode() + arguments + ending


@pytest.mark.parametrize(
    "data",
    [
        by_hand("torch.optim.adam", "Adam", arguments=b"(X\x06\x00\x00\x00CANARYt"),
        by_hand("torch.optim.adam", "Adam", ending=b"\x81}X\x01\x00\x00\x00aX\x01\x00\x00\x00bsb."),
        by_hand("collections", "defaultdict", arguments=b"(cos\nsystem\nt"),
        by_hand("collections", "defaultdict", arguments=b"(c__builtin__\neval\nt"),
        by_hand("__builtin__", "dict", arguments=b"(X\x01\x00\x00\x00at"),
        by_hand("torch.optim", "Adam"),
        by_hand("torch.optim.lbfgs", "LBFGS"),
    ],
)
def test_the_stand_ins_for_an_optimiser_open_no_door(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pth"
    path.write_bytes(data)
    assert refused(path).code in ("weights.unsafe", "weights.damaged", "weights.contents")
    assert [p.name for p in tmp_path.iterdir()] == ["evil.pth"]
