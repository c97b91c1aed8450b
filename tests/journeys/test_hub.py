"""Weights from a hub under a name of one's own: added, listed, fitted, used, carried on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import QUICK, Ran, process
from hub import Hub, repo, serving
from phantom_sets import nifti

from samplar.sam.cards import TINY_VIT
from samplar.sam.convert import to_safetensors
from samplar.sam.hugging_face import hugging_face_state
from samplar.sam.model import empty_sam
from samplar.sam.seeded import seeded_state

FIT = [word if word != "tiny" else "mine" for word in QUICK]
Samplar = Callable[..., Ran]


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
def samplar(hub: Hub, tmp_path: Path) -> Samplar:
    def run(*words: object, machine: str = "here", endpoint: str = hub.address) -> Ran:
        home, cache = str(tmp_path / machine / "home"), str(tmp_path / machine / "cache")
        return process(*words, HF_ENDPOINT=endpoint, HF_HOME=home, SAMPLAR_CACHE=cache)

    return run


@pytest.mark.parametrize(
    ("revision", "code"),
    [("@wrong", "architecture"), ("@cut", "damaged"), ("@none", "hub_absent")],
)
def test_what_cannot_be_used_is_one_line_and_leaves_nothing(samplar, revision, code):
    ran = samplar("weights", "add", "mine", f"hub:lab/sam{revision}")
    assert (ran.status, ran.out) == (5, "")
    *progress, line = ran.err.strip().splitlines()
    assert line.startswith("samplar: ")
    assert line.endswith(f"[weights.{code}]")
    assert all(line.startswith("fetching mine") for line in progress)
    assert "mine" not in samplar("weights", "list").out


def test_from_the_hub_to_labels(samplar, hub, tmp_path):
    data, run = nifti(tmp_path / "set"), tmp_path / "run"
    commit = hub.repos["lab/sam"].names["main"]
    added = samplar("weights", "add", "mine", "hub:lab/sam", "--like", "medsam-vit-b", "--json")
    assert added.status == 0, added.err
    document = json.loads(added.out)
    assert (document["source"], document["revision"]) == (f"hub:lab/sam@{commit}", commit)
    assert document["like"] == "medsam-vit-b"
    assert any("widened: float16 to float32, exactly" in rule for rule in document["rules"])
    asked = len(hub.asked)

    rows = {row["name"]: row for row in json.loads(samplar("weights", "list", "--json").out)}
    assert rows["mine"]["present"]
    assert (rows["mine"]["licence"], "pixels as medsam-vit-b" in rows["mine"]["title"]) == (
        "mit",
        True,
    )
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
    assert len(hub.asked) == asked  # nothing but `weights add` went to the network

    there = ("predict", run, data / "images", "-o", tmp_path / "there")
    ran = samplar(*there, machine="there")
    assert (ran.status, "[weights.absent]" in ran.err) == (5, True)
    fix = f"weights add mine hub:lab/sam@{commit} --like medsam-vit-b"
    assert f"`samplar {fix}`" in ran.err
    assert samplar("weights", "add", "mine", f"hub:lab/sam@{commit}", machine="there").status == 0
    ran = samplar(*there, machine="there")
    assert (ran.status, "[adapter.base]" in ran.err) == (5, True)
    assert "the pixel rule of medsam-vit-b, but this mine has that of tiny-vit-sam" in ran.err
    assert samplar("weights", "remove", "mine", machine="there").status == 0
    assert samplar(*fix.split(), machine="there").status == 0
    ran = samplar(*there, machine="there")
    assert ran.status == 0, ran.err
    for path in (tmp_path / "out").glob("*.nii.gz"):
        assert (tmp_path / "there" / path.name).read_bytes() == path.read_bytes()
