"""From a fit that calibrates to an evaluation that says what the trust was worth."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from samplar.api.evaluate import evaluate
from samplar.api.fit import fit
from samplar.api.predict import find_inputs, predict
from samplar.api.rewrite import rewrite_report
from samplar.config.fit import FitConfig
from samplar.evaluation.calibration import near_foreground, reliability
from samplar.evaluation.ranks import rank_correlation
from samplar.io.dataset import read_dataset
from samplar.prediction.adapter import CARD, load_adapter, read_card
from samplar.prediction.predict import Options
from samplar.sam.seeded import digest_of
from samplar.training.fit import Told

SHORT = {"iterations": 50, "pool": 8, "batch": 2, "precision": "fp32", "lr": 0.01}


def quiet(done, name):
    """Say nothing."""


@pytest.fixture(scope="module")
def notes():
    return []


@pytest.fixture(scope="module")
def told(notes):
    return Told(
        stage=lambda name, count: notes.append(name),
        step=lambda done, loss: None,
        note=notes.append,
    )


@pytest.fixture(scope="module")
def made(discs, told, tmp_path_factory):
    """A run of three exemplars, and predictions of all cases with probabilities."""
    base = tmp_path_factory.mktemp("trust")
    settings = {"weights": "tiny", "size": 32, "k": 3, "device": "cpu", "training": SHORT}
    config = FitConfig(dataset=discs, trust={"share": 1}, method="samed-s", **settings)
    fit(config, base / "run", told=told)
    return base, run(base / "run", discs, base / "out", probabilities=True)


def run(adapter, discs, out, **options):
    return predict(
        adapter,
        find_inputs([discs]),
        out,
        options=Options(**options),
        device="cpu",
        on_case=quiet,
    )


def test_a_fit_calibrates_on_exemplars_it_held_out(made, notes):
    base, _ = made
    card = read_card(base / "run")
    assert card.calibration.calibrated
    assert (card.calibration.exemplars, card.calibration.folds) == (3, 2)
    assert "calibration" in notes
    assert card.calibration.line() in notes
    assert card.calibration.line() in (base / "run/adapter/README.md").read_text()


def test_calibrating_changes_nothing_of_what_is_learnt(made, discs, told, tmp_path):
    base, _ = made
    config = FitConfig(
        dataset=discs,
        weights="tiny",
        size=32,
        k=3,
        device="cpu",
        training=SHORT,
        method="samed-s",
        trust={"calibrate": False},
    )
    fit(config, tmp_path / "run", told=told)
    other = read_card(tmp_path / "run")
    assert other.tensors_sha256 == read_card(base / "run").tensors_sha256
    assert not other.calibration.calibrated
    assert digest_of(load_adapter(tmp_path / "run").adapter_state()) == digest_of(
        load_adapter(base / "run").adapter_state()
    )


def with_temperature(folder, target, temperature):
    shutil.copytree(folder, target)
    path = target / "adapter" / CARD
    card = json.loads(path.read_text())
    card["calibration"]["temperature"] = temperature
    del card["card_sha256"]  # an edit on purpose
    path.write_text(json.dumps(card))
    return target


def test_a_temperature_changes_probabilities_and_no_label(made, discs, tmp_path):
    base, first = made
    hot = with_temperature(base / "run", tmp_path / "hot", 5.0)
    second = run(hot, discs, tmp_path / "out", probabilities=True)
    for path in first.outcome.done:
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()
        shares = [
            folder / "probabilities" / path.name for folder in (base / "out", tmp_path / "out")
        ]
        assert shares[0].read_bytes() != shares[1].read_bytes()
    cooler, hotter = ({r.case: r.expected_dsc for r in p.review} for p in (first, second))
    assert all(hotter[case] < cooler[case] for case in cooler)


def test_an_adapter_of_two_exemplars_says_that_it_cannot_calibrate(discs, told, notes, tmp_path):
    config = FitConfig(
        dataset=discs, weights="tiny", size=32, k=2, device="cpu", method="copy-nearest"
    )
    fit(config, tmp_path / "run", told=told)
    assert notes[-1].startswith("not calibrated: 2 exemplars, and k < 3")
    done = run(tmp_path / "run", discs, tmp_path / "out")
    assert "k < 3" in done.outcome.notes[0]
    assert not any(record.calibrated for record in done.review)


def test_a_method_that_only_remembers_is_calibrated_too(discs, told, tmp_path):
    config = FitConfig(
        dataset=discs, weights="tiny", size=32, k=3, device="cpu", method="linear-probe"
    )
    fit(config, tmp_path / "run", told=told)
    card = read_card(tmp_path / "run")
    assert card.calibration.calibrated
    assert card.calibration.share is None
    again = FitConfig(**{**config.model_dump(), "trust": {"calibrate": False}})
    fit(again, tmp_path / "again", told=told)
    assert read_card(tmp_path / "again").tensors_sha256 == card.tensors_sha256


def test_every_case_has_its_record_and_the_queue_is_worst_first(made):
    base, done = made
    expected = [record.expected_dsc for record in done.review]
    assert expected == sorted(expected)
    assert {p.name for p in (base / "out/trust").iterdir()} == {"ann.json", "bob.json", "cid.json"}
    lines = (base / "out/review.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [r.case for r in done.review]


def test_an_evaluation_compares_what_was_said_with_the_truth(made, discs):
    base, done = made
    dataset = read_dataset(discs)
    found = evaluate(base / "out", dataset, on_case=quiet)
    said = {record.case: record.expected_dsc for record in done.review}
    true = {case.case: case.mean.dsc for case in found.per_case}
    assert {p.case: (p.expected, p.true) for p in found.trust.cases} == {
        case: (said[case], true[case]) for case in said
    }
    names = list(said)
    assert found.trust.spearman == rank_correlation(
        [said[n] for n in names], [true[n] for n in names]
    )
    assert found.trust.calibrated
    assert found.trust.missed == []
    assert "rank correlation" in found.trust.line()


def test_the_calibration_error_is_that_of_the_files(made, discs):
    import nibabel

    base, _ = made
    found = evaluate(base / "out", read_dataset(discs), on_case=quiet).trust.reliability
    pixels = near = 0
    gaps = []
    for name in ("ann", "bob", "cid"):
        shares = nibabel.load(base / f"out/probabilities/{name}.nii.gz").get_fdata()
        truth = nibabel.load(discs / f"labels/{name}.nii.gz").get_fdata()
        written = nibabel.load(base / f"out/{name}.nii.gz").get_fdata()
        maps = np.moveaxis(shares, (3, 2), (0, 1)).astype(np.float32)
        values, stored = (np.moveaxis(a, 2, 0).astype(np.uint8) for a in (truth, written))
        region = near_foreground(stored, values)
        pixels += truth.size
        near += int(region.sum())
        gaps.append(reliability(maps, values, region=region))
    assert sum(found.everywhere.pixels) == pixels
    assert sum(found.region.pixels) == near
    assert found.region.ece == pytest.approx((gaps[0] + gaps[1] + gaps[2]).ece, abs=1e-4)


def test_the_report_shows_it(made, discs):
    base, _ = made
    page = rewrite_report(base / "run", scored=(base / "out", discs), baselines={}).read_text()
    assert "<h2>Trust</h2>" in page
    assert "Expected and true DSC" in page
    assert page.count('class="case"') == 3
    unscored = rewrite_report(base / "run", scored=None, baselines={}).read_text()
    assert "Held-out exemplars" in unscored
    assert "Expected and true DSC" not in unscored
