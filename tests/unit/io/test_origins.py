from __future__ import annotations

from pathlib import Path

import pytest

from samplar.errors import WeightsError
from samplar.io import origins
from samplar.io.hub import FromHub
from samplar.io.origins import Brought, bring, is_remote, local_weights, whole


@pytest.mark.parametrize(
    ("source", "remote"),
    [
        ("https://example.org/a.pth", True),
        ("hub:owner/name", True),
        ("http://example.org/a.pth", False),
        ("a.pth", False),
    ],
)
def test_what_needs_the_network(source, remote):
    assert is_remote(source) == remote


def test_a_path_is_made_whole_and_an_address_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ann")
    assert whole("a.pth") == str(tmp_path / "a.pth")
    assert whole("~/a.pth") == "/home/ann/a.pth"
    assert whole("hub:owner/name") == "hub:owner/name"


def test_a_file_is_taken_as_it_is_and_a_folder_looked_into(tmp_path):
    (tmp_path / "model.safetensors").write_text("x")
    (tmp_path / "own").write_text("x")
    assert local_weights(str(tmp_path)) == tmp_path / "model.safetensors"
    assert local_weights(str(tmp_path / "own")) == tmp_path / "own"
    brought = bring("mine", str(tmp_path), tmp_path / "new")
    assert brought == Brought(tmp_path / "model.safetensors", str(tmp_path), "", "unknown")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("name", "code"), [("absent", "weights.missing"), ("", "weights.member")])
def test_no_weights_at_a_path(tmp_path, name, code):
    with pytest.raises(WeightsError) as caught:
        local_weights(str(tmp_path / name))
    assert (caught.value.code, caught.value.path) == (code, str(tmp_path / name))


def test_what_comes_from_the_hub_keeps_its_commit_and_licence(tmp_path, monkeypatch):
    asked = []

    def download(address, folder, *, name, on_progress):
        asked.append((str(address), folder, name))
        return FromHub(folder / "model.safetensors", "c0ffee", "mit")

    monkeypatch.setattr(origins, "download", download)
    found = bring("mine", "hub:a/sam@v1", tmp_path)
    path = tmp_path / "model.safetensors"
    assert found == Brought(path, "hub:a/sam@c0ffee", "c0ffee", "mit")
    assert asked == [("hub:a/sam@v1", tmp_path, "mine")]


@pytest.mark.parametrize(
    ("address", "name"),
    [("https://example.org/sam/b.pth?raw=1", "b.pth"), ("https://example.org", "weights")],
)
def test_what_comes_from_the_web_keeps_its_name(tmp_path, monkeypatch, address, name):
    asked = []

    def retrieve(bundle, folder, *, on_progress):
        asked.append(bundle)
        return {file.name: folder / file.name for file in bundle.files}

    monkeypatch.setattr(origins, "retrieve", retrieve)
    assert bring("mine", address, tmp_path) == Brought(tmp_path / name, address)
    (bundle,) = asked
    assert (bundle.origin, bundle.by_hand) == (address, "samplar weights add mine FILE")
    assert [(file.name, file.sha256) for file in bundle.files] == [(name, None)]
    assert not Path(tmp_path / name).exists()
