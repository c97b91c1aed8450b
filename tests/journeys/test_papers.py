"""The settings of the papers, from end to end, on small volumes laid out and labelled as theirs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from command import samplar
from phantom_sets import write_nifti

from samplar.cli.screen import Screen
from samplar.cli.settings import fit_settings
from samplar.config.base import build
from samplar.exemplars.manifest import read_manifest
from samplar.io.check import check_dataset
from samplar.methods.registry import load_method
from samplar.prediction.adapter import read_card
from samplar.sam.weights import find_card
from samplar.training.schedule import learning_rate

PAPERS = Path(__file__).parents[2] / "configs" / "papers"
SYNAPSE, BRATS = PAPERS / "synapse", PAPERS / "brats"
FILES = sorted(PAPERS.glob("*/*.yaml"))

ORGANS = {
    "spleen": 1,
    "right kidney": 2,
    "left kidney": 3,
    "gallbladder": 4,
    "liver": 6,
    "stomach": 7,
    "aorta": 8,
    "pancreas": 11,
}
TEST = {1, 2, 3, 4, 8, 22, 25, 29, 32, 35, 36, 38}

SMALL = (
    *("--weights", "tiny", "--size", "32", "--device", "cpu"),
    *("--set", "training.iterations=3", "--set", "training.pool=4", "--set", "training.batch=2"),
    *("--set", "training.precision=fp32", "--set", "training.memory=0.1"),
)
SIDE = 28


def settings(path):
    screen = Screen(as_json=False, quiet=True)
    return fit_settings(screen, {"dataset": Path("x")}, config=path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_file_is_read_and_nothing_in_it_is_a_default_in_disguise(path):
    made = settings(path)
    assert find_card(made.weights).name == made.weights
    given = yaml.safe_load(path.read_text())
    assert made.model_dump(include=set(given) & {"method", "size", "k", "seed", "plane"}) == {
        key: value
        for key, value in given.items()
        if key in {"method", "size", "k", "seed", "plane"}
    }
    assert build(load_method(made.method).config, made.method_config)
    if path.parent not in (SYNAPSE, BRATS):
        return
    assert (made.size, made.plane, made.method_config["rank"]) == (512, "axial", 4)
    training = made.training
    assert (training.lr, training.warmup, training.batch) == (0.005, 250, 24)
    assert training.weight_decay == 0.1


@pytest.mark.parametrize(
    ("name", "size", "batch"), [("refuge/med-sa", 1024, 32), ("sa-med2d/sam-med2d", 256, 2)]
)
def test_the_adapters_train_at_a_constant_rate_from_a_random_start(name, size, batch):
    made = settings(PAPERS / f"{name}.yaml")
    training = made.training
    assert (made.size, training.batch, made.method_config["start"]) == (size, batch, "random")
    rates = {learning_rate(step, training) for step in range(0, training.iterations, 99)}
    assert rates == {1e-4}
    assert training.weight_decay == 0
    assert made.synthesis.factor == 0


@pytest.mark.parametrize(
    ("name", "what", "epochs", "power"),
    [
        ("samed", ("samed", "sam-vit-b"), (160, 200), 0.9),
        ("samed-s", ("samed-s", "sam-vit-b"), (160, 200), 0.9),
        ("samed-h", ("samed-h", "sam-vit-h"), (300, 400), 7),
    ],
)
def test_samed_trains_as_its_code_says(name, what, epochs, power):
    made = settings(SYNAPSE / f"{name}.yaml")
    epoch = -(-2211 // 24)
    assert (made.method, made.weights, made.strategy) == (*what, "all")
    assert made.intensity == "window:-125:275"
    training = made.training
    assert training.schedule == "samed"
    assert (training.iterations, training.horizon) == tuple(n * epoch for n in epochs)
    assert training.power == power
    assert made.synthesis.recipe == "samed"
    loss = made.method_config["loss"]
    assert (loss["ce"], loss["dice"], loss["absent"]) == (0.2, 0.8, "count")
    assert made.method_config["pixels"] == "unit"


@pytest.mark.parametrize(
    ("name", "falls_to"),
    [
        ("btcv/ma-sam", [(0.0, 1.0), (0.5, (5 / 8) ** 7), (1.0, (1 / 4) ** 7)]),
        ("salient/mdsam", [(0.0, 1.0), (0.5, 0.98**37.5), (1.0, 0.98**75)]),  # 2 % an epoch
        ("salient/mas-sam", [(0.0, 1.0), (0.44, 10**-0.5), (0.88, 10**-1.5)]),  # amid the steps
    ],
)
def test_rates_of_long_trainings_fall_as_published(name, falls_to):
    training = settings(PAPERS / f"{name}.yaml").training
    length = training.iterations - training.warmup
    for part, rest in falls_to:
        step = training.warmup + round(part * length)
        found = learning_rate(min(step, training.iterations - 1), training) / training.lr
        assert 0.4 < found / rest < 1.6, (part, found, rest)


def test_cheap_lunch_weighs_its_loss_otherwise():
    for path in (SYNAPSE / "cheap-lunch.yaml", BRATS / "cheap-lunch.yaml"):
        made = settings(path)
        loss = made.method_config["loss"]
        assert (loss["ce"], loss["dice"]) == (1.0, 0.8)
        assert made.synthesis.recipe == "guided"
        assert made.method_config["train_prompts"] == "all-class"
    assert made.channels == (3, 1, 2)


def test_the_split_is_the_published_one():
    sides = json.loads((SYNAPSE / "split.json").read_text())["Synapse"]
    assert {int(name[4:]) for name in sides["test"]} == TEST
    assert {int(name[4:]) for name in sides["pool"]} == {*range(1, 11), *range(21, 41)} - TEST
    assert (len(sides["pool"]), len(sides["test"])) == (18, 12)


def organs(seed):
    """Return a CT (x, y, z) int16 with all 13 labels of BTCV as blocks of their own density."""
    chance = np.random.default_rng(seed)
    labels = np.zeros((SIDE, SIDE, 2), dtype=np.uint8)
    for value in range(1, 14):
        row, column = divmod(value - 1, 4)
        labels[6 * row + 2 : 6 * row + 7, 6 * column + 3 : 6 * column + 8] = value
    return (chance.normal(-60, 10, labels.shape) + 22 * labels).astype(np.int16), labels


@pytest.fixture(scope="module")
def synapse(tmp_path_factory):
    root = tmp_path_factory.mktemp("papers") / "Synapse"
    scanned = np.diag([-0.8, -0.8, 3.0, 1.0])
    for number in [*range(1, 11), *range(21, 41)]:
        image, labels = organs(number)
        write_nifti(root / "images" / f"case{number:04d}.nii.gz", image, scanned)
        write_nifti(root / "labels" / f"case{number:04d}.nii.gz", labels, scanned)
    shutil.copy(SYNAPSE / "label_names.json", root)
    return root


@pytest.fixture(scope="module")
def brats(tmp_path_factory):
    root = tmp_path_factory.mktemp("papers") / "BraTS"
    for number in range(6):
        chance = np.random.default_rng(number)
        labels = np.zeros((SIDE, SIDE, 18), dtype=np.uint8)
        for value, reach in ((2, 9), (1, 6), (4, 3)):
            labels[14 - reach : 14 + reach, 12 - reach : 12 + reach, 1:17] = value
        for sequence in range(4):
            grey = chance.normal(100, 5, labels.shape) + 30 * (sequence + 1) * (labels > 0)
            name = f"Brats18_{number}_{sequence:04d}.nii.gz"
            write_nifti(root / "images" / name, grey.astype(np.int16), np.diag([-1, -1, 1, 1.0]))
        write_nifti(root / "labels" / f"Brats18_{number}.nii.gz", labels, np.diag([-1, -1, 1, 1.0]))
    subjects = [f"Brats18_{number}" for number in range(6)]
    sides = {"BraTS": {"pool": subjects[:5], "test": subjects[5:]}}
    (root.parent / "split.json").write_text(json.dumps(sides))
    return root


def ran(*words):
    result = samplar(*words)
    assert result.status == 0, result.err
    return result


def scores(run, data, split, out, *more):
    ran("predict", run, data, "--split", split, "-o", out)
    return json.loads(ran("evaluate", out, data, "--split", split, "--json", *more).out)


def test_synapse_is_read_with_eight_organs(synapse):
    report = check_dataset(synapse)
    assert report.ok
    assert {entry.name: entry.value for entry in report.labels} == ORGANS
    assert all(entry.voxels == 30 * 50 for entry in report.labels)
    assert report.intensity.dtypes == {"int16": 30}


def learnt_from(run):
    """Return the subjects of the exemplars; the adapter itself does not name them."""
    return [entry.subject for entry in read_manifest(run / "exemplars.yaml").exemplars]


@pytest.mark.parametrize("name", ["samed", "samed-s", "samed-h"])
def test_samed_on_synapse(synapse, tmp_path, name):
    run, split = tmp_path / "run", SYNAPSE / "split.json"
    ran("fit", synapse, "--config", SYNAPSE / f"{name}.yaml", "--split", split, "-o", run, *SMALL)
    card = read_card(run)
    assert len(card.exemplars) == 18 * 2
    assert {int(subject[4:]) for subject in learnt_from(run)}.isdisjoint(TEST)
    assert card.labels.values == tuple(ORGANS.values())
    assert (card.intensity.kind, card.intensity.low, card.intensity.high) == ("window", -125, 275)
    rates = [json.loads(line)["lr"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert rates == pytest.approx([0.005 / 250, 0.005 / 250, 0.005 * 2 / 250])
    draws = [json.loads(line) for line in (run / "draws.jsonl").read_text().splitlines()]
    assert [draw["exemplar"] for draw in draws] == [0, 1, 2, 3]
    assert not any("moves" in draw or "look" in draw for draw in draws)
    result = scores(run, synapse, split, tmp_path / "out", "--protocol", "samed")
    assert (result["protocol"], result["unit"]) == ("samed", "voxel")
    assert list(result["per_class"]) == list(ORGANS)
    assert len(result["per_case"]) == 12


@pytest.mark.parametrize("k", [1, 9, 18, 36])
def test_cheap_lunch_on_synapse(synapse, tmp_path, k):
    run, split = tmp_path / "run", SYNAPSE / "split.json"
    path = SYNAPSE / "cheap-lunch.yaml"
    ran("fit", synapse, "--config", path, "--split", split, "-k", k, "-o", run, *SMALL)
    card = read_card(run)
    assert len(card.exemplars) == k
    assert len(set(learnt_from(run))) == min(k, 18)
    assert {int(subject[4:]) for subject in learnt_from(run)}.isdisjoint(TEST)
    if k == 1:
        result = scores(run, synapse, split, tmp_path / "out", "--protocol", "samed")
        assert len(result["per_case"]) == 12


@pytest.mark.parametrize("synthesis", ["standard", "off"])
def test_what_cheap_lunch_compares_with(synapse, tmp_path, synthesis):
    run, split = tmp_path / "run", SYNAPSE / "split.json"
    words = ("--config", SYNAPSE / "few-samed.yaml", "--split", split, "--synthesis", synthesis)
    ran("fit", synapse, *words, "-k", 9, "-o", run, *SMALL)
    card = read_card(run)
    assert (card.method, len(card.exemplars)) == ("samed", 9)
    draws = (run / "draws.jsonl").read_text().splitlines()
    assert len(draws) == (9 if synthesis == "off" else 4)


@pytest.mark.parametrize(("labels", "k"), [("whole-tumour", 75), ("three-classes", 4)])
def test_cheap_lunch_on_brats(brats, tmp_path, labels, k):
    shutil.copy(BRATS / f"{labels}.json", brats / "label_names.json")
    run, split = tmp_path / "run", brats.parent / "split.json"
    path = BRATS / "cheap-lunch.yaml"
    ran("fit", brats, "--config", path, "--split", split, "-k", k, "-o", run, *SMALL)
    card = read_card(run)
    assert len(card.exemplars) == k  # of 5 subjects with 16 slices that show a tumour
    assert (card.sequences, card.channels) == (4, (3, 1, 2))
    result = scores(run, brats, split, tmp_path / "out")
    if labels == "whole-tumour":
        assert card.labels.values == (1,)
        assert list(result["per_class"]) == ["whole tumour"]
        return
    assert card.labels.values == (1, 2, 4)
    regions = ("--regions", BRATS / "regions.json")
    result = scores(run, brats, split, tmp_path / "out", *regions)
    assert list(result["per_class"]) == ["whole tumour", "tumour core", "enhancing tumour"]
