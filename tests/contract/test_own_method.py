"""One file of thirty lines in a folder is a method: listed, trained, saved, loaded, reported."""

from __future__ import annotations

import re

import pytest
import torch

from samplar.api.fit import fit
from samplar.api.methods import list_methods
from samplar.api.predict import find_inputs, predict
from samplar.api.rewrite import rewrite_report
from samplar.config.fit import FitConfig
from samplar.methods.registry import FOLDERS_VARIABLE, cards
from samplar.prediction.adapter import load_adapter
from samplar.prediction.predict import Options
from samplar.sam.seeded import digest_of
from samplar.sam.weights import load_sam
from samplar.training.fit import Told

SOURCE = '''"""Bias tuning: only the biases of the image encoder and the mask tokens train."""

from __future__ import annotations

from samplar.config.base import Strict
from samplar.config.loss import LossConfig
from samplar.methods.contract import Card
from samplar.methods.head import set_class_tokens

card = Card(
    name="bias-only",
    title="The biases of the encoder and one token per class",
    paper="a test",
    plugs_in="encoder, decoder",
    prompts="none",
    licence_note="ours",
)


class Config(Strict):
    loss: LossConfig = LossConfig(ce=1.0, dice=0.5)


def attach(sam, config, classes):
    set_class_tokens(sam, classes, init="sam")
    sam.mask_decoder.mask_tokens.requires_grad_(True)
    for name, parameter in sam.image_encoder.named_parameters():
        parameter.requires_grad_(name.endswith("qkv.bias"))


def loss(config):
    return config.loss
'''

SILENT = Told(stage=lambda name, count: None, step=lambda done, loss: None, note=lambda line: None)


@pytest.fixture
def listed(tmp_path, monkeypatch):
    assert len([line for line in SOURCE.splitlines() if line.strip()]) <= 30
    folder = tmp_path / "methods"
    folder.mkdir()
    (folder / "bias_only.py").write_text(SOURCE)
    monkeypatch.setenv(FOLDERS_VARIABLE, str(folder))


def test_lives_in_one_file(listed, volumes, tmp_path):
    assert cards()["bias-only"].title == "The biases of the encoder and one token per class"
    rows = {row["name"]: row for row in list_methods(weights="tiny", classes=2)}
    assert rows["bias-only"]["trainable_parameters"] == 3 * 32 + 3 * (16 + 24 + 32)
    config = FitConfig(
        dataset=volumes,
        method="bias-only",
        method_config={"loss": {"dice": 0.7}},
        weights="tiny",
        size=32,
        k=2,
        training={"iterations": 4, "pool": 4, "batch": 2, "lr": 0.01, "precision": "fp32"},
        device="cpu",
    )
    fitted = fit(config, tmp_path / "run", told=SILENT)
    fitted_page = fitted.page.read_text()
    assert "bias-only" in fitted_page

    model, base = load_adapter(tmp_path / "run"), load_sam("tiny").state_dict()
    assert model.loss.dice == 0.7
    names = {"mask_decoder.mask_tokens.weight"} | {
        name for name in base if name.startswith("image_encoder.") and name.endswith("qkv.bias")
    }
    assert set(model.trained()) == names
    assert len(names) == 4
    biases = names - {"mask_decoder.mask_tokens.weight"}
    assert all(not torch.equal(model.trained()[name], base[name]) for name in biases)
    assert model.prefix_steps == 3
    again = load_adapter(tmp_path / "run")
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = [m(m.prefix(images), images) for m in (model, again)]
    assert torch.equal(*found)

    predicted = predict(
        tmp_path / "run",
        find_inputs([volumes]),
        tmp_path / "out",
        options=Options(),
        device="cpu",
        on_case=lambda done, name: None,
    )
    assert [path.name for path in predicted.outcome.done] == [
        "ann.nii.gz",
        "bob.nii.gz",
        "cid.nii.gz",
    ]
    assert predicted.outcome.failed == []

    page = rewrite_report(tmp_path / "run", scored=(tmp_path / "out", volumes), baselines={})
    assert "Not scored yet" in fitted_page
    assert "Not scored yet" not in page.read_text()
    assert re.search(r"bias-only.*?DSC", page.read_text(), re.DOTALL)

    merged, logits = model.merge(), model(model.prefix(images), images)
    torch.testing.assert_close(merged.decode(merged.encode(images))[0], logits)
    assert digest_of(model.detach().state_dict()) == digest_of(base)
