from __future__ import annotations

from bench_cells import bench_data, cell, entry

from samplar.evaluation.calibration import BINS, Reliability
from samplar.evaluation.trust import Held, TrustResult
from samplar.report.bench.page import render_bench
from samplar.report.bench.trust import trust_table


def held(right: int, of: int = 100) -> Held:
    """All pixels given 90 %, so many of them right: near structures half of those."""
    rest = BINS - 1
    make = [
        Reliability(
            pixels=(0,) * rest + (of,),
            confidence=(0.0,) * rest + (0.9 * of,),
            correct=(0,) * rest + (count,),
        )
        for count in (right, right // 2)
    ]
    return Held(everywhere=make[0], region=make[1])


def trusted(draw: int, *, spearman: float | None, reliability: Held | None, calibrated=True):
    made = cell("samplar", {"ann": (50.0,)}, k=4, draw=draw)
    trust = TrustResult(
        spearman=spearman, cases=[], missed=[], calibrated=calibrated, reliability=reliability
    )
    evaluation = made.evaluation.model_copy(update={"trust": trust})
    return entry(made.model_copy(update={"evaluation": evaluation}))


def row(*entries) -> list[str]:
    table = trust_table(bench_data(entries), "heart")
    assert table is not None
    (only,) = table.rows
    return [c.text for c in only]


def test_errors_and_correlation_are_means_over_draws():
    found = row(
        trusted(0, spearman=0.5, reliability=held(80)),
        trusted(1, spearman=0.7, reliability=held(60), calibrated=False),
    )
    middle = ["1 of 2", "0.200 ± 0.141", "0.550 ± 0.071"]
    assert found == ["samplar", "k = 4", *middle, "0.60 ± 0.14"]


def test_what_is_not_known_is_a_dash():
    found = row(trusted(0, spearman=None, reliability=None))
    assert found == ["samplar", "k = 4", "1 of 1", "-", "-", "-"]


def test_methods_that_say_nothing_have_no_table(parsed):
    silent = entry(cell("samplar", {"ann": (50.0,)}))
    assert trust_table(bench_data([silent]), "heart") is None
    assert "rank correlation" not in parsed(render_bench(bench_data([silent]))).text


def test_the_page_has_it(parsed):
    page = parsed(render_bench(bench_data([trusted(0, spearman=0.5, reliability=held(80))])))
    assert "How far its own trust was right" in page.text
    assert "0.100" in page.text
