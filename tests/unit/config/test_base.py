from __future__ import annotations

import pytest

from samplar.config.base import Strict, build, nearest
from samplar.config.fit import FitConfig
from samplar.errors import UsageError


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"training": {"lrr": 1}}, "training.lrr is not a setting, did you mean lr?"),
        ({"sead": 1}, "sead is not a setting, did you mean seed?"),
        ({"synthesis": {"look": {"noize": 1}}}, "did you mean noise?"),
        ({"training": {"seed": 1}}, "training.seed is not a setting"),
        ({"training": {"lr": float("nan")}}, "training.lr = nan: Input should be a finite number"),
    ],
)
def test_a_wrong_setting_is_named_with_the_nearest_of_its_own_table(values, said):
    with pytest.raises(UsageError) as caught:
        build(FitConfig, {"dataset": "x", **values})
    assert said in caught.value.problem
    assert caught.value.code == "config.invalid"


def test_all_problems_come_in_one_line():
    with pytest.raises(UsageError) as caught:
        build(FitConfig, {"k": 0, "sizes": 3})
    assert caught.value.problem.count(";") == 2
    for name in ("dataset", "k = 0", "sizes is not a setting, did you mean size?"):
        assert name in caught.value.problem


def test_good_values_make_the_model():
    class Small(Strict):
        a: int = 1

    assert build(Small, {"a": 2}).a == 2
    assert nearest("xyz", ["a"]) == ""
