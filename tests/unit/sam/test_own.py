from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from samplar.errors import SamplarError, UsageError, WeightsError
from samplar.sam.cards import TINY_VIT, WEIGHTS
from samplar.sam.convert import to_safetensors
from samplar.sam.hugging_face import hugging_face_state
from samplar.sam.model import empty_sam
from samplar.sam.pixels import SAM_PIXELS, UNIT
from samplar.sam.seeded import digest_of, seeded_state
from samplar.sam.weights import (
    add_weights,
    countable_sam,
    fetch_weights,
    find_card,
    load_sam,
    remove_weights,
    weights_status,
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


def state_of(seed: int = 4) -> dict[str, torch.Tensor]:
    return seeded_state(empty_sam(TINY_VIT.shape).state_dict(), seed=seed)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Write a file of weights in Hugging Face's layout and half precision."""
    path = tmp_path / "own.safetensors"
    half = {name: tensor.half() for name, tensor in state_of().items()}
    path.write_bytes(to_safetensors(hugging_face_state(half), note={}))
    return path


def refused(what: Callable[[], object], kind: type[SamplarError] = UsageError) -> SamplarError:
    with pytest.raises(kind) as caught:
        what()
    assert "\n" not in caught.value.line()
    return caught.value


def kept(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if not path.name.endswith(".lock"))


def test_a_name_of_ones_own_is_used_like_any_other(own, cache):
    assert add_weights("mine", own) == cache / "mine.safetensors"
    assert kept(cache) == ["mine.json", "mine.safetensors"]
    sam = load_sam("mine")
    assert digest_of(sam.state_dict()) == digest_of(
        {k: v.half().float() for k, v in state_of().items()}
    )
    card = find_card("mine")
    assert (card.name, card.like, card.pixels) == ("mine", "tiny-vit-sam", SAM_PIXELS)
    assert card.sha256 == sha256(own.read_bytes()).hexdigest()
    assert (card.shape, card.parameters) == (TINY_VIT.shape, TINY_VIT.parameters)
    assert not card.in_memory
    assert fetch_weights("mine") == cache / "mine.safetensors"
    assert countable_sam("mine").device.type == "meta"


def test_the_note_says_where_they_are_from_and_what_was_done(own, cache):
    add_weights("mine", own)
    note = json.loads((cache / "mine.json").read_text())
    assert note["own"] == {
        "asked": str(own),
        "source": str(own),
        "revision": "",
        "licence": "unknown",
        "like": "tiny-vit-sam",
        "architecture": "vit",
        "parameters": TINY_VIT.parameters,
    }
    renamed, widened = note["rules"]
    assert renamed.endswith("renamed: names of Hugging Face's SamModel")
    count = len(state_of()) + 1
    assert widened == f"{count} of {count} tensors widened: float16 to float32, exactly"


def test_another_pixel_rule_can_be_borrowed(own):
    add_weights("mine", own, like="medsam-vit-b")
    assert load_sam("mine").pixels.rule == find_card("mine").pixels == UNIT
    assert find_card("mine").like == "medsam-vit-b"


def test_they_outlive_the_file_they_came_from(own):
    add_weights("mine", own)
    own.unlink()
    assert load_sam("mine").shape == TINY_VIT.shape


def test_a_name_goes_before_a_file_of_that_name(own, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(state_of(7), "mine")
    assert digest_of(load_sam("mine").state_dict()) == digest_of(state_of(7))
    add_weights("mine", own)
    assert digest_of(load_sam("mine").state_dict()) != digest_of(state_of(7))
    assert digest_of(load_sam("./mine").state_dict()) == digest_of(state_of(7))


def test_a_folder_with_several_files_is_one_model(tmp_path, cache):
    state = state_of()
    names = sorted(state)
    parts = {"a.safetensors": names[:9], "b.safetensors": names[9:]}
    folder = tmp_path / "sam"
    folder.mkdir()
    for file, held in parts.items():
        (folder / file).write_bytes(to_safetensors({n: state[n] for n in held}, note={}))
    table = {name: file for file, held in parts.items() for name in held}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    add_weights("mine", folder)
    assert digest_of(load_sam("mine").state_dict()) == digest_of(state)
    assert find_card("mine").sha256 == find_card(folder).sha256


@pytest.mark.parametrize(
    "name", ["", "Mine", "a/b", "../x", ".hidden", "-x", "x" * 65, "a b", "own.pth/", "hub:a/b"]
)
def test_what_is_no_name(own, cache, name):
    assert refused(lambda: add_weights(name, own)).code == "weights.name"
    assert not cache.exists()


def test_known_names_stay_the_publishers(own):
    for source, like in (("hub:facebook/sam-vit-base", None), (own, "medsam-vit-b")):
        error = refused(lambda s=source, like=like: add_weights("sam-vit-b", s, like=like))
        assert error.code == "weights.known"
        assert f"samplar weights add my-sam-vit-b {source} --like" in error.fix


def test_nobody_to_borrow_from(own):
    error = refused(lambda: add_weights("mine", own, like="medsam-vitb"))
    assert error.code == "weights.like"
    assert "did you mean medsam-vit-b?" in error.problem


@pytest.mark.parametrize("like", [None, "tiny-vit-sam"])
def test_the_same_again_changes_nothing(own, cache, like):
    path = add_weights("mine", own)
    before = path.stat().st_mtime_ns
    assert add_weights("mine", own, like=like) == path
    assert path.stat().st_mtime_ns == before


def test_a_name_that_is_taken(own, cache):
    add_weights("mine", own)
    good = find_card("mine").sha256
    assert refused(lambda: add_weights("mine", own, like="medsam-vit-b")).code == "weights.taken"
    torch.save(state_of(8), own)
    error = refused(lambda: add_weights("mine", own))
    assert error.code == "weights.taken"
    assert "samplar weights remove mine" in error.fix
    assert find_card("mine").sha256 == good
    assert remove_weights("mine") is True
    add_weights("mine", own)
    assert find_card("mine").sha256 != good


def test_what_is_damaged_is_refused_and_put_there_again(own, cache):
    path = add_weights("mine", own)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    error = refused(lambda: load_sam("mine"), WeightsError)
    assert error.code == "weights.digest"
    assert f"samplar weights add mine {own} --like tiny-vit-sam" in error.fix
    assert refused(lambda: fetch_weights("mine"), WeightsError).code == "weights.digest"
    add_weights("mine", own)
    assert load_sam("mine").shape == TINY_VIT.shape


@pytest.mark.parametrize("change", ["cut", "no own", "like"])
def test_a_damaged_note_is_refused_listed_and_mended(own, cache, change):
    add_weights("mine", own)
    note = json.loads((cache / "mine.json").read_text())
    if change == "no own":
        del note["own"]
    elif change == "like":
        note["own"]["like"] = "nobody"
    text = json.dumps(note)
    (cache / "mine.json").write_text(text[:-9] if change == "cut" else text)
    for what in (load_sam, find_card):
        error = refused(lambda what=what: what("mine"), WeightsError)
        assert error.code == "weights.damaged"
        assert "samplar weights add mine SOURCE" in error.fix
    (listed,) = [status for status in weights_status() if status.name == "mine"]
    assert "note" in listed.title
    add_weights("mine", own)
    assert find_card("mine").like == "tiny-vit-sam"


def wrong_shape(state: dict[str, torch.Tensor]) -> None:
    state["mask_decoder.iou_token.weight"] = torch.ones(1, 16)


def missing(state: dict[str, torch.Tensor]) -> None:
    del state["mask_decoder.iou_token.weight"]


def not_sam(state: dict[str, torch.Tensor]) -> None:
    state.clear()
    state["conv1.weight"] = torch.ones(2)


@pytest.mark.parametrize(
    ("spoil", "code"), [(wrong_shape, "shape"), (missing, "keys"), (not_sam, "architecture")]
)
def test_what_is_no_sam_is_not_kept(tmp_path, cache, spoil, code):
    state = state_of()
    spoil(state)
    torch.save(state, tmp_path / "own.pth")
    error = refused(lambda: add_weights("mine", tmp_path / "own.pth"), WeightsError)
    assert error.code == f"weights.{code}"
    assert kept(cache) == []
    assert refused(lambda: load_sam("mine")).code == "weights.unknown"


@pytest.mark.parametrize(
    ("source", "code"), [("nowhere.pth", "missing"), ("empty", "member"), ("two", "ambiguous")]
)
def test_a_source_that_is_no_file_of_weights(tmp_path, source, code):
    (tmp_path / "empty").mkdir()
    (tmp_path / "two").mkdir()
    for name in ("a.pth", "b.pth"):
        (tmp_path / "two" / name).touch()
    error = refused(lambda: add_weights("mine", tmp_path / source), WeightsError)
    assert error.code == f"weights.{code}"
    assert error.path == str(tmp_path / source)


def test_the_list_and_removing(own, cache):
    add_weights("mine", own)
    add_weights("a-second", own, like="medsam-vit-b")
    rows = weights_status()
    assert [row.name for row in rows] == [*WEIGHTS, "a-second", "mine"]
    last = rows[-1]
    assert (last.present, last.path, last.licence) == (True, cache / "mine.safetensors", "unknown")
    assert last.title == "own.safetensors, pixels as tiny-vit-sam"
    assert remove_weights("mine") is True
    assert refused(lambda: remove_weights("mine")).code == "weights.unknown"
    assert kept(cache) == ["a-second.json", "a-second.safetensors"]
    assert remove_weights("tiny") is False
    assert "did you mean a-second" in refused(lambda: load_sam("a-secnd")).problem


def test_loading_an_address_never_goes_to_the_network():
    for what in (load_sam, find_card):
        error = refused(lambda what=what: what("hub:facebook/sam-vit-base"))
        assert error.code == "weights.unknown"
        assert "samplar weights add my-sam hub:facebook/sam-vit-base" in error.fix


def test_files_that_are_no_weights_are_no_names(own, cache):
    add_weights("mine", own)
    (cache / "UPPER.json").write_text("{}")
    (cache / "alone.json").write_text("{}")
    (cache / "lite-medsam.json").write_text("{}")
    assert [row.name for row in weights_status()] == [*WEIGHTS, "mine"]


def test_sizes_nobody_knows_keep_their_shape(tmp_path):
    encoder = replace(TINY_VIT.shape.encoder, depth=3, global_blocks=(1,), grid=8)
    shape = replace(TINY_VIT.shape, encoder=encoder, image_size=32)
    path = tmp_path / "own.pth"
    torch.save(seeded_state(empty_sam(shape).state_dict(), seed=3), path)
    add_weights("mine", path)
    assert load_sam("mine").shape == find_card("mine").shape == shape
