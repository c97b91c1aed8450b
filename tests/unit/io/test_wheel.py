from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import zipfile

import pytest

from samplar.io import wheel as wheel_module
from samplar.io.wheel import PipError, Wheel, copy_bounded, download, has_member, opened_member


def test_the_line_to_type_by_hand():
    wheel = Wheel("some-name", "2.1", "0" * 64, 10)
    assert wheel.requirement == "some-name==2.1"
    assert wheel.command == "python -m pip download --no-deps --only-binary=:all: some-name==2.1"


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("Looking\nERROR: first\nERROR: second\nhint\n", "ERROR: second"),
        ("only words\n", "only words"),
        ("", "pip ended without a word"),
    ],
)
def test_the_reason_is_the_last_error(log, reason):
    assert PipError(log).reason == reason


def test_what_went_wrong_is_told_from_the_log():
    assert PipError("/usr/bin/python: No module named pip").pip_missing
    assert not PipError("No module named other").pip_missing
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        assert PipError(f"OSError: [Errno {number}] {os.strerror(number)}").disk_full
    assert not PipError("ERROR: no such host").disk_full


def test_a_member_is_found_by_its_exact_name(tmp_path):
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pkg/data.bin", b"data")
        archive.writestr("../pkg/evil.bin", b"evil")
    assert has_member(path, "pkg/data.bin")
    assert not has_member(path, "data.bin")
    assert not has_member(path, "pkg/evil.bin")
    with opened_member(path, "pkg/data.bin") as stream:
        assert stream.read() == b"data"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_no_archive_has_no_members(tmp_path):
    path = tmp_path / "plain"
    path.write_bytes(b"plain")
    assert not has_member(path, "plain")


def test_copying_stops_one_byte_after_the_limit():
    sink = io.BytesIO()
    steps: list[tuple[int, int]] = []
    copy_bounded(
        io.BytesIO(bytes(10_000)), sink, limit=100, on_progress=lambda *step: steps.append(step)
    )
    assert len(sink.getvalue()) == 101
    assert steps == [(100, 100)]


def test_copying_goes_on_to_the_end_block_by_block(monkeypatch):
    monkeypatch.setattr(wheel_module, "BLOCK", 40)
    sink = io.BytesIO()
    steps: list[tuple[int, int]] = []
    copy_bounded(
        io.BytesIO(bytes(100)), sink, limit=100, on_progress=lambda *step: steps.append(step)
    )
    assert len(sink.getvalue()) == 100
    assert steps == [(40, 100), (80, 100), (100, 100)]
    copy_bounded(io.BytesIO(bytes(3)), sink, limit=100)
    assert len(sink.getvalue()) == 103


WHEEL = Wheel("some-name", "2.1", "0" * 64, 10)


def stand_in(monkeypatch, script: str) -> list[list[str]]:
    """Run a script in place of pip, given the folder for the wheel; return the commands asked."""
    asked: list[list[str]] = []
    real = subprocess.Popen

    def started(command, **options):
        asked.append(command)
        arrived = command[command.index("--dest") + 1]
        return real([sys.executable, "-S", "-c", script, arrived], **options)

    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr(wheel_module, "POLL_SECONDS", 0.01)
    return asked


ARRIVE = (
    "import os, sys, time\n"
    "os.mkdir(sys.argv[1])\n"
    "open(sys.argv[1] + '/some_name-2.1.whl', 'wb').write(bytes(99))\n"
    "print('ERROR: something')\n"
)


def test_pip_is_asked_for_exactly_one_wheel(tmp_path, monkeypatch):
    asked = stand_in(monkeypatch, ARRIVE + "time.sleep(0.1)")
    steps: list[tuple[int, int]] = []
    path = download(WHEEL, tmp_path / "new", on_progress=lambda *step: steps.append(step))
    assert path == tmp_path / "new" / "wheel" / "some_name-2.1.whl"
    ((python, *options),) = asked
    assert python == sys.executable
    assert options[:4] == ["-P", "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "--no-input"} <= set(options)
    assert options[-1] == "some-name==2.1"
    assert set(steps) <= {(0, 10), (10, 10)}
    assert steps[-1] == (10, 10)


def test_a_file_that_pip_removes_while_its_size_is_asked_counts_for_nothing(tmp_path, monkeypatch):
    (tmp_path / "there").write_bytes(b"abc")
    names = ["there", "gone"]
    monkeypatch.setattr(wheel_module.os, "walk", lambda folder: [(str(folder), [], names)])
    assert wheel_module._bytes_under(tmp_path) == 3


@pytest.mark.parametrize("script", [ARRIVE + "sys.exit(1)", "print('ERROR: something')"])
def test_a_wheel_that_did_not_arrive(tmp_path, monkeypatch, script):
    stand_in(monkeypatch, script)
    with pytest.raises(PipError, match="ERROR: something"):
        download(WHEEL, tmp_path / "new")
