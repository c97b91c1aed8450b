from __future__ import annotations

import pytest
from command import QUICK, samplar
from phantom_sets import nifti, pngs

from samplar.api.rewrite import read_evaluation, rewrite_report
from samplar.errors import InputError, WeightsError


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A run with predictions of its own data, and scores of them."""
    base = tmp_path_factory.mktemp("rewrite")
    data = nifti(base / "set")
    words = ("-k", 1, "-M", "copy-nearest", *QUICK)
    assert samplar("fit", data, "-o", base / "run", *words).status == 0
    assert samplar("predict", base / "run", data, "-o", base / "out").status == 0
    assert samplar("evaluate", base / "out", data, "-o", base / "e.json").status == 0
    return base


def test_the_page_shows_the_scores_of_the_predictions(scored):
    other = read_evaluation(scored / "e.json")
    pair = (scored / "out", scored / "set")
    page = rewrite_report(scored / "run", scored=pair, baselines={"again": other})
    assert f"{other.mean.dsc:.1f}" in page.read_text()
    assert "Not scored yet" not in page.read_text()
    assert "Not scored yet" in rewrite_report(scored / "run", scored=None, baselines={}).read_text()


def test_scores_of_other_classes_or_units_are_not_compared(scored, tmp_path):
    data = pngs(tmp_path / "pictures")
    samplar("fit", data, "-k", 1, "-M", "copy-nearest", "-o", tmp_path / "run", *QUICK)
    samplar("predict", tmp_path / "run", data, "-o", tmp_path / "out")
    samplar("evaluate", tmp_path / "out", data, "-o", tmp_path / "e.json")
    with pytest.raises(InputError) as caught:
        rewrite_report(
            scored / "run",
            scored=(scored / "out", scored / "set"),
            baselines={"pictures": read_evaluation(tmp_path / "e.json")},
        )
    assert caught.value.code == "report.classes"
    assert "in px" in caught.value.problem


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"adapter\.missing"):
        rewrite_report(tmp_path, scored=None, baselines={})
    with pytest.raises(InputError, match=r"evaluation\.unreadable"):
        read_evaluation(tmp_path / "none.json")
