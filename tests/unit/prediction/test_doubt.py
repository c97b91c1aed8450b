from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation

from samplar.errors import InputError
from samplar.evaluation.trust import Calibration
from samplar.prediction.doubt import Doubt
from samplar.prediction.review import review_queue, write_review
from samplar.prediction.temperatures import Temperatures
from samplar.prediction.trust import case_trust, write_trust


@pytest.fixture
def logits():
    made = torch.randn(4, 3, 20, 24, generator=torch.Generator().manual_seed(0)) * 3
    made[:, 0, 10:] += 4  # so that there is background far from all else
    made[:, 0, 15:] += 9
    return made


def test_it_adds_up_the_probabilities_of_each_slice(logits):
    doubt = Doubt(Temperatures(2.0, 0.5))
    given = torch.cat([doubt.add(logits[:3]), doubt.add(logits[3:])]).numpy()
    labels = logits.argmax(1).numpy()
    close = binary_dilation(labels > 0, np.ones((1, 3, 3)))
    assert not close.all()
    exact = logits.double()
    hot, cold = (exact / 2).softmax(1).numpy(), (exact * 2).softmax(1).numpy()
    shares = np.where(close[:, None], hot, cold)
    np.testing.assert_allclose(given, shares, atol=1e-6)
    for n in range(4):
        for k in (1, 2):
            own = labels[n] == k
            assert doubt.predicted[n][k - 1] == own.sum()
            assert doubt.inside[n][k - 1] == pytest.approx(shares[n, k][own].sum(), rel=1e-5)
            assert doubt.total[n][k - 1] == pytest.approx(shares[n, k][close[n]].sum(), rel=1e-5)
        assert doubt.doubtful[n] == (close[n] & (shares[n].max(0) < 0.75)).sum()


def test_it_keeps_numbers_and_no_maps(logits):
    doubt = Doubt()
    doubt.add(logits)
    kept = [*doubt.predicted, *doubt.inside, *doubt.total]
    assert sum(array.size for array in kept) == 3 * 4 * 2


def watched(blobs, *, temperature=1.0, sure=6.0):
    """Return the doubt of slices (n, h, w) of labels, given with that much of a logit."""
    doubt = Doubt(Temperatures(temperature, temperature))
    labels = torch.from_numpy(np.asarray(blobs))
    doubt.add(sure * torch.nn.functional.one_hot(labels.long(), 3).permute(0, 3, 1, 2).float())
    return doubt


def blobs(*counts):
    """Return one slice of 10 x 10 per pair of counts of the classes 1 and 2."""
    made = np.zeros((len(counts), 100), dtype=np.uint8)
    for n, (one, two) in enumerate(counts):
        made[n, :one], made[n, 50 : 50 + two] = 1, 2
    return made.reshape(-1, 10, 10)


def test_it_says_in_words_what_is_striking(card):
    doubt = watched(blobs((5, 0), (9, 0), (0, 0), (0, 0), (7, 0), (1, 0)))
    said = case_trust("ann", "ann.nii.gz", doubt, card)
    assert said.reasons == ("not found: right", "left vanishes between slices 1 and 4")
    assert said.per_class["right"] is None
    assert said.expected_dsc == said.per_class["left"]
    assert "most doubt in slice" in said.why()
    nothing = case_trust("bob", "bob.nii.gz", watched(blobs((0, 0))), card)
    assert nothing.expected_dsc is None
    assert not nothing.calibrated


def test_the_slice_of_most_doubt_is_where_most_voxels_are_unsure(card):
    doubt = watched(blobs((20, 20), (20, 20)))
    doubt.add(torch.rand(1, 3, 10, 10, generator=torch.Generator().manual_seed(0)))
    said = case_trust("ann", "ann.nii.gz", doubt, card)
    assert said.slice == 2
    assert said.doubtful > 0.3
    assert case_trust("ann", "a", watched(blobs((20, 20))), card).doubtful == 0


def test_a_temperature_above_1_lowers_what_is_expected_and_not_the_labels(card):
    shown = blobs((30, 30), (20, 10))
    sure, unsure = (watched(shown, temperature=t, sure=3.0) for t in (1.0, 2.0))
    assert np.array_equal(sure.predicted, unsure.predicted)
    first, second = (case_trust("a", "a", doubt, card).expected_dsc for doubt in (sure, unsure))
    assert second < first - 5


@pytest.fixture
def filled(card, tmp_path):
    calibrated = card.model_copy(
        update={"calibration": Calibration(calibrated=True, reason="", temperature=1.5)}
    )
    for name, sure, shown in (
        ("good", 8.0, (30, 30)),
        ("=bad", 2.0, (30, 30)),
        ("empty", 8.0, (0, 0)),
        ("gone", 8.0, (30, 30)),
    ):
        doubt = watched(blobs(shown), sure=sure)
        write_trust(tmp_path, case_trust(name, f"{name}.png", doubt, calibrated))
        if name != "gone":
            (tmp_path / f"{name}.png").touch()
    return tmp_path


def test_the_queue_has_the_worst_first_and_only_what_is_there(filled):
    queue = write_review(filled)
    assert [record.case for record in queue] == ["empty", "=bad", "good"]
    with (filled / "review.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == ["empty", "'=bad", "good"]
    assert rows[0]["expected_dsc"] == ""
    assert float(rows[1]["expected_dsc"]) < float(rows[2]["expected left"])
    assert rows[0]["reason"].startswith("not found: left, right; most doubt in slice 0")
    assert {row["calibrated"] for row in rows} == {"yes"}


def test_a_run_that_completes_another_has_the_whole_queue(filled, card):
    write_trust(filled, case_trust("late", "late.png", watched(blobs((9, 9)), sure=3.0), card))
    (filled / "late.png").touch()
    (filled / "gone.png").touch()
    assert {r.case for r in review_queue(filled)} == {"good", "=bad", "empty", "gone", "late"}


def test_without_cases_there_is_no_queue(filled):
    write_review(filled)
    for path in (filled / "trust").iterdir():
        path.unlink()
    assert write_review(filled) == []
    assert not (filled / "review.csv").exists()


def test_a_record_that_a_killed_process_left_half_written_is_no_record(filled):
    (filled / "trust/.samplar-tmp-host-1-ab.json").write_text('{"case": "g')
    assert {record.case for record in review_queue(filled)} == {"good", "=bad", "empty"}


def test_a_damaged_record_is_refused(filled):
    (filled / "trust/good.json").write_text(json.dumps({"case": "good"}))
    with pytest.raises(InputError) as caught:
        review_queue(filled)
    assert caught.value.code == "trust.unreadable"
