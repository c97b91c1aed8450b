from __future__ import annotations

import io
import zipfile

import pytest

from samplar.io.wheel import PipError, Wheel, copy_bounded, has_member, opened_member


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
    assert PipError("OSError: [Errno 28] No space left on device").disk_full
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
