from __future__ import annotations

import errno
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from samplar.errors import InputError, OutputError
from samplar.io import atomic
from samplar.io.atomic import (
    ensure_writable,
    explained,
    make_folder,
    remove_file,
    remove_folder,
    replace_folder,
    write_bytes,
    write_with,
)


def nothing(path: Path) -> None:
    """Verify nothing."""


def test_the_bytes_arrive_and_no_temporary_stays(tmp_path):
    write_bytes(tmp_path / "a.bin", b"one")
    write_bytes(tmp_path / "a.bin", b"two")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a.bin": b"two"}


def test_the_writer_gets_a_new_name_with_the_same_suffix_in_the_same_folder(tmp_path):
    seen = []

    def writer(target: Path) -> None:
        seen.append(target)
        target.write_bytes(b"x")

    write_with(tmp_path / "c.nii.gz", writer, nothing)
    assert seen[0].parent == tmp_path
    assert seen[0].name.endswith(".nii.gz")
    assert seen[0].name != "c.nii.gz"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "output.disk_full"),
        (errno.EDQUOT, "output.disk_full"),
        (errno.EFBIG, "output.too_large"),
        (errno.EACCES, "output.not_writable"),
        (errno.EROFS, "output.not_writable"),
        (errno.EIO, "output.failed"),
    ],
)
def test_a_failing_disk_leaves_the_old_file_and_no_temporary(tmp_path, number, code):
    (tmp_path / "a").write_bytes(b"old")

    def writer(target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(number, os.strerror(number))

    with pytest.raises(OutputError) as caught:
        write_with(tmp_path / "a", writer, nothing)
    assert caught.value.code == code
    assert caught.value.path == str(tmp_path / "a")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"old"}


def test_every_step_that_can_fail_leaves_old_or_new_and_says_so(tmp_path, monkeypatch):
    real = os.fsync
    for failing in range(2):
        calls = iter(range(10))

        def fsync(descriptor: int, calls=calls, failing=failing) -> None:
            if next(calls) == failing:
                raise OSError(errno.EIO, "bad sector")
            real(descriptor)

        (tmp_path / "a").write_bytes(b"old")
        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(OutputError, match="bad sector"):
            write_bytes(tmp_path / "a", b"new")
        assert (tmp_path / "a").read_bytes() == (b"old", b"new")[failing]
        assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    "error", [ValueError("differs"), InputError("bad", fix="f", code="io.x", path="temp")]
)
def test_a_file_that_does_not_read_back_never_gets_the_name(tmp_path, error):
    def verify(path: Path) -> None:
        raise error

    with pytest.raises(OutputError) as caught:
        write_with(tmp_path / "a", lambda target: target.write_bytes(b"x"), verify)
    assert caught.value.code == "output.verify"
    assert list(tmp_path.iterdir()) == []


def test_a_silent_short_write_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "write_new", lambda path, data: path.write_bytes(data[:-1]))
    with pytest.raises(OutputError) as caught:
        write_bytes(tmp_path / "a", b"four")
    assert caught.value.code == "output.verify"


def test_an_interrupt_removes_the_temporary(tmp_path):
    def writer(target: Path) -> None:
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_with(tmp_path / "a", writer, nothing)
    assert list(tmp_path.iterdir()) == []


def test_a_real_file_size_limit_is_reported_and_the_old_file_kept(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from samplar.io.atomic import write_bytes\n"
        "from samplar.errors import OutputError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_bytes(Path(sys.argv[1]), bytes(5000))\n"
        "except OutputError as error:\n"
        "    sys.exit(error.code)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "a")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "output.too_large"
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"old"}
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


@pytest.mark.parametrize(
    ("name", "code"),
    [("folder", "output.name"), ("x" * 300, "output.name"), ("gone/a", "output.not_writable")],
)
def test_impossible_names_are_refused(tmp_path, name, code):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError) as caught:
        write_bytes(tmp_path / name, b"x")
    assert caught.value.code == code
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_name_of_255_bytes_works(tmp_path):
    write_bytes(tmp_path / ("é" * 127), b"x")
    assert len(next(tmp_path.iterdir()).name.encode()) == 254


def test_ensure_writable_creates_folders_and_leaves_them_empty(tmp_path):
    ensure_writable(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_ensure_writable_refuses_a_path_through_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    for path in (tmp_path / "file", tmp_path / "file" / "sub"):
        with pytest.raises(OutputError) as caught:
            ensure_writable(path)
        assert caught.value.code == "output.not_writable"
        assert caught.value.exit_status == 4


def test_ensure_writable_really_tries(tmp_path, monkeypatch):
    def refuse(path: Path, data: bytes) -> None:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(atomic, "write_new", refuse)
    with pytest.raises(OutputError) as caught:
        ensure_writable(tmp_path)
    assert caught.value.code == "output.not_writable"


def test_temporaries_of_dead_processes_are_swept_and_others_kept(tmp_path):
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    host = atomic._host()
    dead = tmp_path / f".samplar-tmp-{host}-{int(child.stdout)}-aa.nii.gz"
    alive = tmp_path / f".samplar-tmp-{host}-{os.getpid()}-aa.nii.gz"
    init = tmp_path / f".samplar-tmp-{host}-1-aa.nii.gz"
    elsewhere = tmp_path / f".samplar-tmp-00000000-{int(child.stdout)}-aa.nii.gz"
    for path in (dead, alive, init, elsewhere):
        path.touch()
    ensure_writable(tmp_path)
    assert set(tmp_path.iterdir()) == {alive, init, elsewhere}


def test_a_process_of_another_user_counts_as_alive(monkeypatch):
    def kill(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", kill)
    assert atomic._alive(12345)


def test_without_posix_nothing_is_swept_and_writing_still_works(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "_POSIX", False)
    left = tmp_path / f".samplar-tmp-{atomic._host()}-999999999-aa"
    left.touch()
    ensure_writable(tmp_path)
    write_bytes(tmp_path / "a", b"x")
    assert {p.name for p in tmp_path.iterdir()} == {left.name, "a"}


def test_the_first_error_is_reported_when_even_the_temporary_cannot_be_removed(tmp_path):
    def writer(target: Path) -> None:
        target.mkdir()
        raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OutputError) as caught:
        write_with(tmp_path / "a", writer, nothing)
    assert caught.value.code == "output.disk_full"


def test_a_folder_takes_the_place_of_another(tmp_path):
    for name in ("new", "old"):
        make_folder(tmp_path / name / "inner")
        (tmp_path / name / f"{name}.txt").touch()
    replace_folder(tmp_path / "new", tmp_path / "old")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["inner", "new.txt", "old"]
    remove_folder(tmp_path / "old")
    assert list(tmp_path.iterdir()) == []


def test_removing_a_file_that_is_not_there_is_fine(tmp_path):
    remove_file(tmp_path / "a")
    write_bytes(tmp_path / "a", b"x")
    remove_file(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "work",
    [
        lambda folder: make_folder(folder / "file" / "below"),
        lambda folder: replace_folder(folder / "none", folder / "new"),
        lambda folder: remove_folder(folder / "none"),
    ],
)
def test_trouble_with_folders_is_told(tmp_path, work):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught:
        work(tmp_path)
    assert caught.value.code == "output.not_writable"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_new_folder_is_synced_in_the_one_above_it(tmp_path, monkeypatch):
    synced, real = [], os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    make_folder(tmp_path / "a" / "b")
    assert synced == [tmp_path / "a", tmp_path]
    make_folder(tmp_path / "a" / "b")
    assert len(synced) == 2


def test_temporaries_say_whose_they_are_and_never_meet(tmp_path, monkeypatch):
    """Host and process decide who may sweep them; eight random digits keep two writers apart."""
    seen: list[str] = []

    def writer(path: Path, data: bytes = b"") -> None:
        seen.append(path.name)
        path.write_bytes(data)

    monkeypatch.setattr(atomic, "write_new", writer)
    write_with(tmp_path / "a.nii.gz", writer, nothing)
    ensure_writable(tmp_path)
    ensure_writable(tmp_path)
    owner = rf"\.samplar-tmp-[0-9a-f]{{8}}-{os.getpid()}-[0-9a-f]{{8}}"
    assert re.fullmatch(owner + r"\.nii\.gz", seen[0])
    assert all(re.fullmatch(owner, name) for name in seen[1:])
    assert len(set(seen)) == 3


def test_a_folder_is_renamed_before_it_is_emptied(tmp_path, monkeypatch):
    make_folder(tmp_path / "old")
    seen, real = [], shutil.rmtree

    def rmtree(path: Path) -> None:
        seen.append(path.name)
        real(path)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    remove_folder(tmp_path / "old")
    assert re.fullmatch(r"old\.[0-9a-f]{8}\.tmp", seen[0])


def test_an_error_without_a_number_is_told_in_its_own_words(tmp_path):
    error = explained(OSError("odd"), tmp_path)
    assert (error.code, error.problem) == ("output.failed", "writing failed: odd (error 0)")
    error = explained(OSError(errno.EIO, "bad sector"), tmp_path)
    assert error.problem == f"writing failed: bad sector (error {errno.EIO})"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EPERM, "output.not_writable"),
        (errno.EISDIR, "output.name"),
        (errno.ENAMETOOLONG, "output.name"),
        (errno.ENOTDIR, "output.not_writable"),
        (errno.EEXIST, "output.not_writable"),
        (errno.ENOENT, "output.not_writable"),
    ],
)
def test_what_an_error_number_means(tmp_path, number, code):
    assert explained(OSError(number, os.strerror(number)), tmp_path).code == code


def test_what_is_being_written_is_no_file_yet(tmp_path):
    for name in ("b.json", "a.json", ".hidden.json", "a.txt", ".samplar-tmp-host-1-ab.json"):
        (tmp_path / name).write_text("{}")
    found = atomic.whole_files(tmp_path, "*.json")
    assert [path.name for path in found] == [".hidden.json", "a.json", "b.json"]
    assert atomic.whole_files(tmp_path / "absent", "*.json") == []


def test_sweeping_goes_below_and_leaves_what_lives(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    dead = tmp_path / "a" / "b" / f".samplar-tmp-{atomic._host()}-999999999-aa"
    alive = tmp_path / "a" / f".samplar-tmp-{atomic._host()}-{os.getpid()}-aa"
    for path in (dead, alive):
        path.touch()
    atomic.sweep(tmp_path)
    assert (dead.exists(), alive.exists()) == (False, True)


def test_a_removed_file_is_gone_on_disk_too(tmp_path, monkeypatch):
    synced: list[Path] = []
    monkeypatch.setattr(atomic, "_sync_folder", synced.append)
    (tmp_path / "a").touch()
    remove_file(tmp_path / "a")
    assert synced == [tmp_path]


def test_what_cannot_be_removed_is_told(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError) as caught:
        remove_file(tmp_path / "folder")
    assert caught.value.code == "output.name"


@pytest.mark.parametrize("work", [ensure_writable, atomic.sweep])
def test_a_folder_that_cannot_be_listed_is_told(tmp_path, monkeypatch, work):
    def broken(folder: Path) -> None:
        raise OSError(errno.EIO, "bad sector")

    monkeypatch.setattr(atomic, "_sweep", broken)
    with pytest.raises(OutputError, match="bad sector") as caught:
        work(tmp_path)
    assert caught.value.code == "output.failed"
