from __future__ import annotations

import pytest

from samplar.io.wording import few


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, ""), (1, "0"), (5, "0, 1, 2, 3, 4"), (6, "0, 1, 2, 3, 4 and 1 more")],
)
def test_five_of_many_are_shown(count, text):
    assert few(range(count)) == text


def test_as_many_as_asked_for():
    assert few(["a", "b", "c", "d"], limit=2) == "a, b and 2 more"
    assert few(["a", "b"], limit=2) == "a, b"
