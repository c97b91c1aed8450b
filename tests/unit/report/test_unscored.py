from __future__ import annotations

from samplar.report.page import render


def test_a_run_without_scores_has_a_page_that_says_so(parsed, report):
    bare = report.model_copy(update={"methods": (), "slices": (), "notes": ("one brain",)})
    page = parsed(render(bare))
    assert page.open == []
    assert "Not scored yet." in page.text
    assert "one brain" in page.text
    assert report.dataset in page.text
    assert "Scores" not in [word.strip() for word in page.words]
