from __future__ import annotations

import errno
import importlib.util
import os
import platform
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from samplar.errors import OutputError
from samplar.io import lock
from samplar.io.lock import NAME, sole_writer

HOLD = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from samplar.io.lock import sole_writer\n"
    "with sole_writer(Path(sys.argv[1])):\n"
    "    print('held', flush=True)\n"
    "    time.sleep(60)\n"
)


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of `tmp_path`."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "held\n"
    yield child
    child.kill()
    child.communicate()


def test_the_folder_is_made_and_nothing_is_left_in_it(tmp_path):
    with sole_writer(tmp_path / "a" / "b") as note:
        assert note == ""
        assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == [NAME]
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_second_one_is_refused_at_once_with_the_pid_of_the_first(holder, tmp_path):
    with pytest.raises(OutputError) as caught, sole_writer(tmp_path):
        pass
    assert caught.value.code == "output.busy"
    assert f"({holder.pid} on " in caught.value.problem
    assert caught.value.path == str(tmp_path)
    assert (tmp_path / NAME).exists()


def test_the_lock_of_a_process_that_was_killed_does_not_block(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / NAME).exists()
    (tmp_path / NAME).write_text("a much longer line of the one before")
    with sole_writer(tmp_path):
        assert (tmp_path / NAME).read_text() == f"{os.getpid()} on {platform.node()}\n"
    assert list(tmp_path.iterdir()) == []


def test_within_a_process_it_is_one_at_a_time_too(tmp_path):
    with sole_writer(tmp_path):
        with pytest.raises(OutputError), sole_writer(tmp_path):
            pass
        assert (tmp_path / NAME).exists()
    with sole_writer(tmp_path):
        pass


def test_a_lock_whose_file_was_removed_meanwhile_counts_for_nothing(tmp_path, monkeypatch):
    """The one before gave up its name between our opening of the file and our locking it."""
    real, calls = lock._lock, []

    def late(descriptor):
        calls.append(descriptor)
        if len(calls) == 1:
            (tmp_path / NAME).unlink()
        real(descriptor)

    monkeypatch.setattr(lock, "_lock", late)
    with sole_writer(tmp_path), pytest.raises(OutputError), sole_writer(tmp_path):
        pass
    assert len(calls) == 3


@pytest.mark.parametrize("number", [errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK])
def test_a_lock_that_another_holds_has_several_names(tmp_path, monkeypatch, number):
    def held(descriptor):
        raise OSError(number, "held")

    monkeypatch.setattr(lock, "_lock", held)
    with pytest.raises(OutputError, match="just started") as caught, sole_writer(tmp_path):
        pass
    assert caught.value.code == "output.busy"


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_disk_without_locks_is_used_with_a_note(tmp_path, monkeypatch, number):
    def unknown(descriptor):
        raise OSError(number, "no locks")

    monkeypatch.setattr(lock, "_lock", unknown)
    with sole_writer(tmp_path) as note:
        assert "cannot be locked" in note
    assert list(tmp_path.iterdir()) == []


def test_other_trouble_is_told(tmp_path, monkeypatch):
    def broken(descriptor):
        raise OSError(errno.EIO, "bad sector")

    monkeypatch.setattr(lock, "_lock", broken)
    with pytest.raises(OutputError, match="bad sector"), sole_writer(tmp_path):
        pass
    assert not (tmp_path / NAME).stat().st_mode & 0o111  # a text that nobody runs


def test_temporaries_of_dead_processes_are_swept_from_all_of_the_folder(holder, tmp_path):
    from samplar.io import atomic

    holder.send_signal(signal.SIGKILL)
    holder.wait()
    (tmp_path / "records").mkdir()
    left = tmp_path / "records" / f".samplar-tmp-{atomic._host()}-{holder.pid}-aa.json"
    left.touch()
    with sole_writer(tmp_path):
        assert not left.exists()


def test_who_holds_a_lock_that_cannot_be_read_is_not_known(tmp_path):
    assert "another samplar process (just started)" in lock._busy(tmp_path / "absent").problem


def test_on_windows_a_byte_behind_the_text_is_locked(tmp_path, monkeypatch):
    asked = []

    def locking(descriptor, mode, count):
        asked.append((os.lseek(descriptor, 0, os.SEEK_CUR), mode, count))

    windows = SimpleNamespace(locking=locking, LK_NBLCK=2)
    monkeypatch.setitem(sys.modules, "fcntl", None)  # importing it fails
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    spec = importlib.util.spec_from_file_location("lock_on_windows", lock.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with (tmp_path / "file").open("w+b") as file:
        module._lock(file.fileno())
        assert file.tell() == 0
    assert asked == [(1 << 20, 2, 1)]
