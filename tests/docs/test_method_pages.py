"""The pages of the methods are those that `samplar methods NAME` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from samplar.api.method_page import describe_method
from samplar.methods.registry import cards

FOLDER = Path(__file__).parents[2] / "docs" / "reference" / "methods"


def test_every_method_has_a_page_and_no_page_is_left_over():
    assert {path.stem for path in FOLDER.glob("*.md")} == set(cards())


@pytest.mark.parametrize("name", sorted(cards()))
def test_the_page_is_the_one_that_is_written(name):
    _, page = describe_method(name, weights="sam-vit-b")
    stated = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert stated.rstrip("\n") == page.rstrip("\n"), "run `make method-pages`"
