"""Weights from a hub under a name of one's own: added, listed, fitted, used, carried on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import QUICK, Ran, process, samplar
from hub import Hub, repo, serving
from phantom_sets import nifti

from samplar.sam.cards import TINY_VIT
from samplar.sam.convert import to_safetensors
from samplar.sam.hugging_face import hugging_face_state
from samplar.sam.model import empty_sam
from samplar.sam.seeded import seeded_state

FIT = [word if word != "tiny" else "mine" for word in QUICK]
Run = Callable[..., Ran]


@pytest.fixture
def hub() -> Iterator[Hub]:
    state = seeded_state(empty_sam(TINY_VIT.shape).state_dict(), seed=4)
    half = {name: tensor.half() for name, tensor in state.items()}
    names = sorted(half := hugging_face_state(half))
    first, second = names[:80], names[80:]
    files = {"model-1.safetensors": first, "model-2.safetensors": second}
    index = {"weight_map": {name: file for file, held in files.items() for name in held}}
    sharded = {
        file: to_safetensors({name: half[name] for name in held}, note={})
        for file, held in files.items()
    }
    good = {**sharded, "model.safetensors.index.json": json.dumps(index).encode()}
    wrong = {"model.safetensors": to_safetensors({"conv1.weight": half[names[0]]}, note={})}
    cut = {"model.safetensors": to_safetensors(half, note={})[:-64]}
    with serving(lab__sam=repo(main=good, wrong=wrong, cut=cut)) as found:
        yield found


@pytest.fixture
def on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that changes to another machine: that is, to another cache.

    This process connects to nothing; only the one of `add` does.
    """

    def refuse(*_: object) -> None:
        raise AssertionError("went to the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    return lambda machine: monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path / machine))


@pytest.fixture
def add(hub: Hub, tmp_path: Path, on: Callable[[str], None]) -> Run:
    """Return `samplar weights add` as a process: the client reads the environment when imported."""
    on("here")
    home = str(tmp_path / "home")
    return lambda *words: process("weights", "add", *words, HF_ENDPOINT=hub.address, HF_HOME=home)


@pytest.mark.parametrize(
    ("revision", "code"),
    [("@wrong", "architecture"), ("@cut", "damaged"), ("@none", "hub_absent")],
)
def test_what_cannot_be_used_is_one_line_and_leaves_nothing(add, revision, code):
    ran = add("mine", f"hub:lab/sam{revision}")
    assert (ran.status, ran.out) == (5, "")
    *progress, line = ran.err.strip().splitlines()
    assert line.startswith("samplar: ")
    assert line.endswith(f"[weights.{code}]")
    assert all(line.startswith("fetching mine") for line in progress)
    assert "mine" not in samplar("weights", "list").out


def test_from_the_hub_to_labels(add, on, hub, tmp_path):
    data, run = nifti(tmp_path / "set"), tmp_path / "run"
    commit = hub.repos["lab/sam"].names["main"]
    added = add("mine", "hub:lab/sam", "--like", "medsam-vit-b", "--json")
    assert added.status == 0, added.err
    document = json.loads(added.out)
    assert (document["source"], document["revision"]) == (f"hub:lab/sam@{commit}", commit)
    assert document["like"] == "medsam-vit-b"
    assert any("widened: float16 to float32, exactly" in rule for rule in document["rules"])

    rows = {row["name"]: row for row in json.loads(samplar("weights", "list", "--json").out)}
    assert rows["mine"]["present"]
    assert rows["mine"]["licence"] == "mit"
    assert "pixels as medsam-vit-b" in rows["mine"]["title"]
    counted = json.loads(samplar("methods", "--weights", "mine", "--json").out)
    assert any(row["trainable_parameters"] for row in counted)
    fitted = samplar("fit", data, "-o", run, *FIT, "--method", "decoder-only")
    assert fitted.status == 0, fitted.err
    card = json.loads((run / "adapter" / "adapter.json").read_text())
    assert (card["weights"], card["weights_sha256"]) == ("mine", document["sha256"])
    assert card["weights_source"] == f"hub:lab/sam@{commit}"
    assert card["weights_like"] == "medsam-vit-b"
    ran = samplar("predict", run, data / "images", "-o", tmp_path / "out")
    assert ran.status == 0, ran.err
    ran = samplar("export", run, "--format", "merged", "-o", tmp_path / "merged")
    assert ran.status == 0, ran.err
    assert document["sha256"] in (tmp_path / "merged" / "README.md").read_text()

    on("there")
    there = ("predict", run, data / "images", "-o", tmp_path / "out-there")
    ran = samplar(*there)
    assert (ran.status, "[weights.absent]" in ran.err) == (5, True)
    fix = ("mine", f"hub:lab/sam@{commit}", "--like", "medsam-vit-b")
    assert f"`samplar weights add {' '.join(fix)}`" in ran.err
    assert add(*fix[:2]).status == 0
    ran = samplar(*there)
    assert (ran.status, "[adapter.base]" in ran.err) == (5, True)
    assert "the pixel rule of medsam-vit-b, but this mine has that of tiny-vit-sam" in ran.err
    assert samplar("weights", "remove", "mine").status == 0
    assert add(*fix).status == 0
    ran = samplar(*there)
    assert ran.status == 0, ran.err
    made = sorted((tmp_path / "out").glob("*.nii.gz"))
    assert len(made) == 3
    for path in made:
        assert (tmp_path / "out-there" / path.name).read_bytes() == path.read_bytes()
