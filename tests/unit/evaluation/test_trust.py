from __future__ import annotations

import pytest
from pydantic import ValidationError

from samplar.errors import InputError
from samplar.evaluation.calibration import Reliability
from samplar.evaluation.trust import (
    UNKNOWN,
    Calibration,
    CasePoint,
    CaseTrust,
    Held,
    TrustResult,
    read_case_trust,
)


def bins(count: int, sure: float, right: int) -> Reliability:
    """Return a reliability of one filled bin: its error is |right - sure| / count."""
    empty = (0,) * 14
    return Reliability(pixels=(*empty, count), confidence=(*empty, sure), correct=(*empty, right))


def test_an_adapter_from_before_there_was_calibration_is_not_calibrated():
    old = Calibration.model_validate({})
    assert not old.calibrated
    assert old.line() == f"not calibrated: {UNKNOWN}"
    assert (old.temperature, old.folds, old.exemplars) == (1.0, 0, 0)
    assert (old.share, old.before, old.after) == (None, Held(), Held())


@pytest.mark.parametrize("temperature", [1e-6, 0.05, 1.0, 20.0])
def test_temperatures_up_to_the_hottest_are_kept(temperature):
    assert Calibration(temperature=temperature).temperature == temperature


@pytest.mark.parametrize("temperature", [0.0, -1.0, 20.1])
def test_no_other_temperature_is_read(temperature):
    with pytest.raises(ValidationError):
        Calibration(temperature=temperature)


def test_a_calibration_says_what_it_was_made_of():
    made = Calibration(
        calibrated=True,
        temperature=1.234,
        folds=2,
        exemplars=4,
        before=Held(region=bins(100, 90.0, 80)),
        after=Held(),
    )
    assert made.line() == (
        "calibrated on 4 exemplars held out in 2 folds: temperature 1.23, calibration error near"
        " structures 0.100 before and undefined after"
    )


def test_a_calibration_of_two_temperatures_says_where_each_counts():
    two = Calibration(calibrated=True, temperature=3.0, far=0.456)
    assert "temperature 3.00 near structures and 0.46 elsewhere, calibration" in two.line()


def test_what_was_held_out_adds_up_part_by_part():
    one, other = Held(everywhere=bins(10, 9.0, 8)), Held(region=bins(4, 3.0, 2))
    assert one + other == Held(everywhere=bins(10, 9.0, 8), region=bins(4, 3.0, 2))
    assert (one + one).everywhere == bins(20, 18.0, 16)


def trust(**changes) -> CaseTrust:
    values = {
        "case": "a",
        "file": "a.nii.gz",
        "calibrated": True,
        "expected_dsc": 80.0,
        "per_class": {"liver": 80.0},
        "doubtful": 0.256,
        "plane": "axial",
        "slice": 7,
    }
    return CaseTrust(**{**values, **changes})


def test_why_to_look_at_a_case():
    assert trust().why() == "most doubt in slice 7, 26% of voxels doubtful"
    assert trust(reasons=("odd", "new")).why().startswith("odd; new; most doubt in slice 7")


def test_a_record_reads_back_and_anything_else_is_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(trust().model_dump_json())
    assert read_case_trust(path) == trust()
    for text in ("{}", "not json", None):
        path.write_text(text) if text else path.unlink()
        with pytest.raises(InputError, match="is not the record of a case") as caught:
            read_case_trust(path)
        assert caught.value.code == "trust.unreadable"
        assert "\n" not in caught.value.line()


@pytest.mark.parametrize(
    ("spearman", "held", "line"),
    [
        (None, None, "rank correlation too few or equal"),
        (0.456, None, "rank correlation 0.46"),
        (
            -1.0,
            Held(region=bins(100, 90.0, 80), everywhere=bins(1000, 990.0, 980)),
            "rank correlation -1.00; calibration error 0.100 near structures,"
            " 0.010 over all voxels",
        ),
    ],
)
def test_how_the_trust_turned_out(spearman, held, line):
    found = TrustResult(
        spearman=spearman,
        cases=[CasePoint(case="a", expected=80.0, true=70.0)],
        missed=[],
        calibrated=True,
        reliability=held,
    )
    assert found.line() == f"expected against true DSC of 1 cases: {line}"
