from __future__ import annotations

import shutil

import pytest
from phantom_sets import nifti

from samplar.api.export import export
from samplar.api.fit import fit
from samplar.config.fit import FitConfig
from samplar.errors import OutputError, SamplarError, UsageError, WeightsError
from samplar.exemplars.roi import Region
from samplar.prediction.adapter import CARD, read_card, readme
from samplar.prediction.card_file import sealed
from samplar.training.fit import Told

REGION = Region(share=0.4, centre=(0.5, 0.5), spread=(0.1, 0.1))

SILENT = Told(stage=lambda name, count: None, step=lambda done, loss: None, note=lambda line: None)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Fit once."""
    place = tmp_path_factory.mktemp("export")
    config = FitConfig(
        dataset=nifti(place / "set"),
        method="samed-s",
        weights="tiny",
        size=32,
        k=1,
        training={"iterations": 2, "pool": 2, "batch": 2, "precision": "fp32"},
        device="cpu",
    )
    fit(config, place / "run", told=SILENT)
    return place / "run"


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the run, which a test may damage."""
    return shutil.copytree(finished, tmp_path / "run")


def test_a_run_and_its_adapter_folder_give_the_same(run, tmp_path):
    for place, out in ((run, "a"), (run / "adapter", "b")):
        export(place, tmp_path / out, kind="merged")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["README.md", "sam.pth", "sam.safetensors"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert "- 1: ball\n- 2: slab\n" in (tmp_path / "a" / "README.md").read_text()


@pytest.mark.parametrize(("roi", "said"), [(REGION, True), (None, False)])
def test_an_export_says_if_samplar_looks_twice(run, tmp_path, roi, said):
    card = read_card(run).model_copy(update={"roi": roi})
    (run / "adapter" / CARD).write_bytes(sealed(card.model_dump(mode="json")))
    export(run, tmp_path / "out", kind="merged")
    text = (tmp_path / "out/README.md").read_text()
    assert ("side is 40% of the longer side" in text) == said
    assert ("a window of 40% again" in readme(card, 1)) == said


def test_a_folder_with_anything_in_it_is_left_alone(run, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "sam.pth").write_text("mine")
    with pytest.raises(UsageError) as caught:
        export(run, out, kind="merged")
    assert (caught.value.code, caught.value.path) == ("export.exists", str(out))
    assert (out / "sam.pth").read_text() == "mine"
    assert len(list(out.iterdir())) == 1


def damaged_tensors(run):
    path = run / "adapter" / "adapter.safetensors"
    path.write_bytes(path.read_bytes()[:-7])


def damaged_card(run):
    (run / "adapter" / "adapter.json").write_text("{")


def missing(run):
    (run / "adapter" / "adapter.json").unlink()


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (damaged_tensors, "adapter.digest"),
        (damaged_card, "adapter.card"),
        (missing, "adapter.missing"),
    ],
)
def test_what_is_no_adapter_is_refused_and_nothing_is_written(run, tmp_path, trouble, code):
    trouble(run)
    with pytest.raises(WeightsError) as caught:
        export(run, tmp_path / "out", kind="merged")
    assert caught.value.code == code
    assert not (tmp_path / "out").exists()


def test_a_format_that_does_not_fit_is_refused_before_anything_is_written(run, tmp_path):
    with pytest.raises(SamplarError) as caught:
        export(run, tmp_path / "out", kind="peft")
    assert caught.value.code == "export.encoder"
    assert not (tmp_path / "out").exists()


def test_a_place_that_is_a_file_is_refused(run, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError) as caught:
        export(run, tmp_path / "out", kind="merged")
    assert caught.value.code == "output.not_writable"
