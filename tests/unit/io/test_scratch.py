from __future__ import annotations

import errno
import os

import pytest

from samplar.io.scratch import reserve


def test_the_room_is_taken(tmp_path):
    path = tmp_path / "scratch"
    path.write_bytes(b"of a process that was killed")
    reserve(path, 1 << 20)
    assert path.stat().st_size == 1 << 20
    assert path.stat().st_blocks * 512 >= 1 << 20
    assert path.read_bytes() == bytes(1 << 20)
    assert path.stat().st_mode & 0o777 == 0o600  # nobody else's to read


def test_where_room_cannot_be_taken_it_is_promised(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    reserve(tmp_path / "scratch", 1000)
    assert (tmp_path / "scratch").read_bytes() == bytes(1000)


def test_no_room_is_told_at_once_and_nothing_is_left(tmp_path, monkeypatch):
    def full(descriptor, start, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left") as caught:
        reserve(tmp_path / "scratch", 100)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "scratch"))
    assert list(tmp_path.iterdir()) == []
