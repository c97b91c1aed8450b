from __future__ import annotations

from typing import Any

import pytest

from samplar.config.base import build
from samplar.config.bench import BenchConfig, check_bench
from samplar.errors import UsageError

LEAST: dict[str, Any] = {
    "datasets": [{"path": "a", "split": "s.json"}],
    "methods": [{"method": "samed"}],
}


def read(**values: Any) -> BenchConfig:
    return check_bench(build(BenchConfig, {**LEAST, **values}))


def refused(**values: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(**values)
    return caught.value


def test_wrong_keys_and_values_are_told_together():
    error = refused(kk=[1], draws=[-1], methods=[{"method": "samed", "preset": "auto"}])
    assert error.code == "config.invalid"
    assert all(word in error.problem for word in ("kk", "draws.0", "methods.0.preset"))
    assert "did you mean k?" in error.problem


def test_parts_that_do_not_fit_are_told_together():
    error = refused(
        datasets=[{"path": "a"}],
        methods=[
            {"method": "samed"},
            {"method": "samed", "settings": {"k": 3, "seed": 1}},
        ],
        draws=[0, 0],
        reference="samd",
        settings={"size": 32},
    )
    assert error.code == "bench.config"
    for words in (
        "methods called samed more than once",
        "draws 0 more than once",
        "'samd' is no method of this benchmark, did you mean samed?",
        "a has no split",
        "samed: k, seed cannot stand under settings",
        "the benchmark: size cannot stand under settings",
    ):
        assert words in error.problem


def test_a_pool_needs_a_fold_for_every_draw():
    assert "4 draws need as many folds" in refused(score="pool", draws=[0, 1, 2, 3]).problem
    assert read(score="pool", datasets=[{"path": "a"}]).folds == 3


def test_fewer_draws_where_asked_and_one_where_nothing_is_drawn():
    config = read(k=[1, 18, "full"], draws_at={18: 2})
    assert [config.draws_for(k) for k in config.k] == [(0, 1, 2), (0, 1), (0,)]
    capped = read(full_slices=50)
    assert capped.draws_for("full") == (0, 1, 2)
    assert read(score="pool").draws_for("full") == (0, 1, 2)


def test_a_data_set_may_have_its_own_k():
    config = read(datasets=[{"path": "a", "split": "s", "k": [1]}, {"path": "b", "split": "s"}])
    assert [config.counts(data) for data in config.datasets] == [(1,), (1, 4, "full")]
