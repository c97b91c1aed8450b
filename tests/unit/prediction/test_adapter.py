from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save

from samplar import __version__
from samplar.config.fit import FitConfig
from samplar.errors import UsageError, WeightsError
from samplar.exemplars.exemplar import Exemplar, ExemplarSet
from samplar.io.intensity import IntensityRule
from samplar.io.labels import LabelSet
from samplar.io.view import View
from samplar.prediction.adapter import (
    AdapterCard,
    adapter_folder,
    describe,
    load_adapter,
    read_card,
    save_adapter,
)
from samplar.prediction.card_file import sealed, unsealed
from samplar.sam.cards import TINY, WEIGHTS


def refusal(folder):
    with pytest.raises(WeightsError) as caught:
        load_adapter(folder)
    return caught.value


def rewrite(folder, **changes):
    path = folder / "adapter.json"
    path.write_bytes(sealed({**unsealed(path), **changes}))


def replace_tensors(folder, tensors):
    """Put other tensors in place, with the digest that belongs to them."""
    data = tensors if isinstance(tensors, bytes) else save(tensors)
    (folder / "adapter.safetensors").write_bytes(data)
    rewrite(folder, tensors_sha256=hashlib.sha256(data).hexdigest())


@torch.no_grad()
def test_comes_back_whole_from_the_run_or_the_adapter_folder(saved, learnt, phantoms):
    folder, card = saved
    images = phantoms(seed=8).images
    expected = learnt(learnt.prefix(images), images)
    for place in (folder, folder.parent):
        assert adapter_folder(place) == folder
        assert read_card(place) == card
        model = load_adapter(place)
        assert torch.equal(model(model.prefix(images), images), expected)
    assert card.labels == LabelSet(("left", "right"), (3, 7))
    assert card.view == View("axial", IntensityRule(kind="window", low=0, high=200), None)


def test_holds_no_more_than_what_was_learnt(saved, learnt):
    folder, card = saved
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md",
        "adapter.json",
        "adapter.safetensors",
    ]
    tensors = load_file(folder / "adapter.safetensors")
    assert {n: t.shape for n, t in tensors.items()} == {
        n: p.shape for n, p in learnt.trained().items()
    }
    text = (folder / "README.md").read_text()
    for part in ("`samed-s`", "- 3: left", "- 7: right", "1 exemplars", card.weights_sha256):
        assert part in text


def test_a_flipped_bit_is_refused(saved):
    folder, _ = saved
    path = folder / "adapter.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(bytes(data))
    error = refusal(folder)
    assert (error.code, error.path) == ("adapter.digest", str(path))


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_tensors_cut_short_or_gone_are_refused(saved, harm):
    path = saved[0] / "adapter.safetensors"
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        path.unlink()
    error = refusal(saved[0])
    assert error.code == "adapter.digest"
    assert ("1,000 bytes" if harm == "cut" else "0 bytes") in error.problem


def test_a_file_that_is_no_safetensors_is_refused_even_with_its_digest(saved):
    replace_tensors(saved[0], b"not tensors at all")
    assert refusal(saved[0]).code == "adapter.damaged"


@pytest.mark.parametrize("trouble", ["missing", "extra", "shape"])
def test_tensors_that_do_not_fit_are_refused_by_name(saved, trouble):
    folder, _ = saved
    tensors = load_file(folder / "adapter.safetensors")
    name = "mask_decoder.iou_token.weight"
    if trouble == "missing":
        del tensors[name]
    elif trouble == "extra":
        tensors["mask_decoder.iou_token.bias"] = torch.zeros(1)
    else:
        tensors[name] = tensors[name][:, :5].contiguous()
    replace_tensors(folder, tensors)
    error = refusal(folder)
    assert error.code == ("adapter.shape" if trouble == "shape" else "adapter.keys")
    assert "mask_decoder.iou_token" in error.problem


def test_an_adapter_of_other_base_weights_is_refused(saved, monkeypatch):
    monkeypatch.setitem(WEIGHTS, "tiny", replace(TINY, sha256="f" * 64))
    error = refusal(saved[0])
    assert error.code == "adapter.base"
    assert TINY.sha256[:12] in error.problem
    assert "f" * 12 in error.problem


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"samplar": 3}', "\x00", '{"size": NaN}'])
def test_a_damaged_card_is_refused_with_its_path(saved, text):
    path = saved[0] / "adapter.json"
    path.write_text(text)
    with pytest.raises(WeightsError) as caught:
        read_card(saved[0])
    assert (caught.value.code, caught.value.path) == ("adapter.card", str(path))


@pytest.mark.parametrize(
    "change", [{"size": 0}, {"plane": "oblique"}, {"new": 1}, {"precision": "fp8"}, {"method": 3}]
)
def test_a_card_with_a_wrong_value_is_refused(saved, change):
    rewrite(saved[0], **change)
    with pytest.raises(WeightsError) as caught:
        read_card(saved[0])
    assert caught.value.code == "adapter.card"


def test_a_folder_without_adapter_is_refused(tmp_path):
    with pytest.raises(WeightsError) as caught:
        read_card(tmp_path)
    assert caught.value.code == "adapter.missing"


def test_an_unknown_method_or_setting_is_refused(saved):
    rewrite(saved[0], method="samed-q")
    with pytest.raises(UsageError, match="did you mean samed"):
        load_adapter(saved[0])
    rewrite(saved[0], method="samed-s", method_config={"rnk": 2})
    with pytest.raises(UsageError, match="did you mean rank"):
        load_adapter(saved[0])


def test_the_card_describes_the_run(learnt, tmp_path):
    exemplar = Exemplar.of(
        case="ann",
        subject="a",
        number=2,
        image=np.zeros((3, 4, 4), np.float32),
        labels=np.zeros((4, 4), np.uint8),
    )
    exemplars = ExemplarSet.of([exemplar], LabelSet(("left", "right"), (3, 7)))
    config = FitConfig(
        dataset="somewhere", method="samed-s", method_config={"rank": 2}, size=48, seed=11
    )
    view = View("coronal", IntensityRule(), (2, 0, 1))
    fields = describe(config, TINY, exemplars, view=view, sequences=2, precision="bf16")
    card = save_adapter(tmp_path / "adapter", learnt, {**fields, "weights": "tiny"})
    assert card == read_card(tmp_path)
    assert card.samplar == __version__
    assert (card.size, card.seed, card.precision, card.sequences) == (48, 11, "bf16", 2)
    assert (card.view, card.labels) == (view, exemplars.labels)
    assert card.weights_sha256 == TINY.sha256
    assert card.exemplars_digest == exemplars.digest
    assert card.exemplars[0].model_dump() == {
        "case": "",
        "subject": "",
        "slice": 2,
        "digest": exemplar.digest,
    }


def test_a_card_changed_by_hand_is_refused_unless_the_seal_is_taken_out(saved):
    path = saved[0] / "adapter.json"
    content = json.loads(path.read_text())
    content["class_values"] = [7, 3]
    path.write_text(json.dumps(content))
    with pytest.raises(WeightsError) as caught:
        read_card(saved[0])
    assert caught.value.code == "adapter.card"
    assert "card_sha256" in caught.value.fix
    del content["card_sha256"]
    path.write_text(json.dumps(content))
    assert read_card(saved[0]).class_values == (7, 3)


def test_a_card_is_strict():
    assert AdapterCard.model_config["extra"] == "forbid"
