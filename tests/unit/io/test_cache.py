from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from samplar.errors import OutputError, ResourceError
from samplar.io.cache import LOCK_SECONDS, cache_folder, locked, sha256_of


def test_the_variable_wins_over_the_platform(monkeypatch, tmp_path):
    monkeypatch.setenv("SAMPLAR_CACHE", str(tmp_path))
    assert cache_folder("weights") == tmp_path / "weights"
    monkeypatch.setenv("SAMPLAR_CACHE", "~/kept")
    assert cache_folder("demo") == Path.home() / "kept" / "demo"


def test_without_the_variable_it_is_the_platforms_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("SAMPLAR_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = cache_folder("weights")
    assert folder.name == "weights"
    assert "samplar" in folder.parts
    assert not folder.exists()


def test_the_digest_is_that_of_the_bytes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert sha256_of(path) == hashlib.sha256(b"abc").hexdigest()


def test_a_lock_is_held_by_one_and_given_back(tmp_path):
    folder = tmp_path / "new" / "weights"
    with locked(folder, "toy"):
        with pytest.raises(ResourceError) as caught, locked(folder, "toy", seconds=0.05):
            pytest.fail("two held the same lock")
        with locked(folder, "other", seconds=0.05):
            pass
    assert caught.value.code == "cache.busy"
    assert "another process has been fetching toy for 0 seconds" in caught.value.problem
    assert LOCK_SECONDS == 30 * 60  # a slow line needs that long for the largest weights
    with locked(folder, "toy", seconds=0.05):
        pass


def test_a_lock_that_cannot_be_made(tmp_path):
    (tmp_path / ".toy.lock").mkdir()
    with pytest.raises(OutputError) as caught, locked(tmp_path, "toy", seconds=0.05):
        pytest.fail("a folder was locked")
    assert caught.value.code == "cache.lock"
    assert "SAMPLAR_CACHE" in caught.value.fix
