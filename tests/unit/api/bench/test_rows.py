from __future__ import annotations

import pytest

from samplar.api.bench.rows import rows_of
from samplar.config.bench import BenchConfig


@pytest.mark.parametrize(
    ("first", "size"),
    [
        ({"method": "samplar"}, 128),  # its own standard
        ({"method": "decoder-only"}, 224),
        ({"method": "decoder-only", "preset": "fast"}, 112),
        ({"method": "samplar", "size": 64}, 64),
        ({"method": "samplar", "settings": {"size": 96}}, 96),
    ],
)
def test_trivial_methods_that_are_added_see_what_the_first_one_sees(first, size):
    bench = BenchConfig.model_validate({"datasets": [{"path": "d"}], "methods": [first], "k": [2]})
    sizes = {row.shown: row.settings(bench, bench.datasets[0], 2, 0).size for row in rows_of(bench)}
    assert sizes == {first["method"]: size, "copy-nearest": size, "linear-probe": size}
