from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from samplar.errors import WeightsError
from samplar.sam.cards import TINY_VIT
from samplar.sam.hugging_face import hugging_face_state
from samplar.sam.model import empty_sam
from samplar.sam.seeded import digest_of, seeded_state
from samplar.sam.weights import find_card, load_sam

FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
INDEX = "model.safetensors.index.json"
TOKEN = "mask_decoder.iou_token.weight"  # noqa: S105
State = dict[str, Tensor]


def state_of() -> State:
    return seeded_state(empty_sam(TINY_VIT.shape).state_dict(), seed=4)


def halves() -> tuple[State, State]:
    state = hugging_face_state(state_of())
    names = sorted(state)
    first = set(names[: len(names) // 2])
    return (
        {name: tensor for name, tensor in state.items() if name in first},
        {name: tensor for name, tensor in state.items() if name not in first},
    )


def laid_out(
    folder: Path, change: Callable[[State, State, dict[str, Any]], None] = lambda *_: None
) -> Path:
    """Write two files and their index, after a change to any of the three."""
    first, second = halves()
    table: dict[str, Any] = dict.fromkeys(first, FIRST) | dict.fromkeys(second, SECOND)
    change(first, second, table)
    folder.mkdir(exist_ok=True)
    save_file(first, folder / FIRST)
    save_file(second, folder / SECOND)
    document = {"metadata": {"total_size": 1}, "weight_map": table}
    (folder / INDEX).write_text(json.dumps(document))
    return folder


def refused(folder: Path) -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        load_sam(folder)
    assert "\n" not in caught.value.line()
    return caught.value


@pytest.mark.parametrize("given", ["folder", "index"])
def test_two_files_are_one_model(tmp_path, given):
    folder = laid_out(tmp_path / "sam")
    path = folder if given == "folder" else folder / INDEX
    assert digest_of(load_sam(path).state_dict()) == digest_of(state_of())
    card = find_card(path)
    names = sorted([INDEX, FIRST, SECOND])
    lines = [f"{sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    assert card.sha256 == sha256("".join(lines).encode()).hexdigest()


def test_the_digest_is_of_every_file(tmp_path):
    before = find_card(laid_out(tmp_path / "sam")).sha256

    def change(first: State, second: State, table: dict[str, Any]) -> None:
        name = sorted(second)[0]
        second[name] = second[name] + 1

    assert find_card(laid_out(tmp_path / "sam", change)).sha256 != before


def test_a_file_that_is_not_there(tmp_path):
    folder = laid_out(tmp_path / "sam")
    (folder / SECOND).unlink()
    error = refused(folder)
    assert error.code == "weights.shards"
    assert f"1 of 2 files are not beside it ({SECOND})" in error.problem
    assert error.path == str(folder / INDEX)


@pytest.mark.parametrize("which", [FIRST, SECOND])
def test_a_damaged_file_is_named(tmp_path, which):
    folder = laid_out(tmp_path / "sam")
    (folder / which).write_bytes((folder / which).read_bytes()[:-9])
    error = refused(folder)
    assert (error.code, error.path) == ("weights.damaged", str(folder / which))


def in_both(first: State, second: State, table: dict[str, Any]) -> None:
    first[TOKEN] = second[TOKEN] = torch.ones(1, 32)


def in_the_other(first: State, second: State, table: dict[str, Any]) -> None:
    table[TOKEN] = SECOND if table[TOKEN] == FIRST else FIRST


def not_listed(first: State, second: State, table: dict[str, Any]) -> None:
    del table[TOKEN]


def in_none(first: State, second: State, table: dict[str, Any]) -> None:
    (first if TOKEN in first else second).pop(TOKEN)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (in_both, f"{TOKEN} is in two files, {FIRST} and {SECOND}"),
        (in_the_other, f"{TOKEN} is in {FIRST}, but the index puts it in {SECOND}"),
        (not_listed, f"{TOKEN} is in {FIRST}, but the index does not list it"),
        (in_none, f"1 are in none of its files ({TOKEN} is not in {FIRST})"),
    ],
)
def test_files_and_index_that_disagree(tmp_path, change, says):
    error = refused(laid_out(tmp_path / "sam", change))
    assert error.code == "weights.shards"
    assert says in error.problem


ELSEWHERE = ("../x.safetensors", "/x.safetensors", "a/x.safetensors", "a\\x.safetensors")
ODD = ("..safetensors", ".x.safetensors", "C:x.safetensors", "x.bin", "", 3, None)


@pytest.mark.parametrize("file", [*ELSEWHERE, *ODD])
def test_a_file_anywhere_but_beside_the_index(tmp_path, file):
    save_file(halves()[0], tmp_path / "x.safetensors")
    folder = laid_out(tmp_path / "sam", lambda first, second, table: table.update({TOKEN: file}))
    error = refused(folder)
    assert error.code == "weights.shards"
    assert f"puts {TOKEN} in {file!r}" in error.problem


TWICE = '{"weight_map": {"a": "b.safetensors", "a": "c.safetensors"}}'
OTHERS = ('{"weight_map": {}}', '{"weight_map": [1]}', '{"weight_map"')


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", "\xff", TWICE, *OTHERS])
def test_an_index_that_is_none(tmp_path, text):
    folder = laid_out(tmp_path / "sam")
    (folder / INDEX).write_bytes(text.encode("latin-1"))
    error = refused(folder)
    assert (error.code, error.path) == ("weights.shards", str(folder / INDEX))


def test_a_whole_file_goes_before_an_index(tmp_path):
    folder = laid_out(tmp_path / "sam")
    other = seeded_state(empty_sam(TINY_VIT.shape).state_dict(), seed=5)
    save_file(hugging_face_state(other), folder / "model.safetensors")
    assert digest_of(load_sam(folder).state_dict()) == digest_of(other)


def test_a_folder_with_several_files_and_no_index(tmp_path):
    folder = laid_out(tmp_path / "sam")
    (folder / INDEX).unlink()
    error = refused(folder)
    assert error.code == "weights.ambiguous"
    assert f"2 files of weights: {FIRST}, {SECOND}" in error.problem
