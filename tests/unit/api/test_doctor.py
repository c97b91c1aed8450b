from __future__ import annotations

from samplar.api.doctor import examine

BROKEN = """
from samplar.methods.contract import Card
card = Card(name="broken", title="t", paper="p", plugs_in="x", prompts="none", licence_note="n")
import a_module_that_nobody_has
"""


def test_a_method_that_does_not_load_and_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SAMPLAR_METHODS", str(tmp_path))
    monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path / "file" / "cache"))
    facts = examine()
    assert facts["ok"] is False
    assert facts["methods"]["broken"] is False
    assert facts["methods"]["cheap-lunch"] is True
    assert facts["cache"]["writable"] is False
    assert len(facts["problems"]) == 2
    assert "a_module_that_nobody_has" in "".join(facts["problems"])


def test_a_cache_not_made_yet_is_not_made_by_looking(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path / "cache"))
    facts = examine()
    assert facts["ok"] is True
    assert facts["cache"] == {"folder": str(tmp_path / "cache" / "weights"), "writable": True}
    assert list(tmp_path.iterdir()) == []
    assert facts["weights"]["lite-medsam"] is False
    (tmp_path / "cache" / "weights").mkdir(parents=True)
    assert examine()["cache"]["writable"] is True
