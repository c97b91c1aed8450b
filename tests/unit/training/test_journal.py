from __future__ import annotations

from pathlib import Path

import pytest

from samplar.errors import OutputError
from samplar.training.journal import Journal, read_journal

ROWS = [{"step": n, "loss": 1 / n} for n in (1, 2, 3)]


def written(path, rows=ROWS, keep_before=0):
    with Journal(path, keep_before=keep_before) as journal:
        for row in rows:
            journal.write(row)
    return path


def test_rows_come_back(tmp_path):
    assert read_journal(written(tmp_path / "m.jsonl")) == ROWS


def test_a_row_is_readable_as_soon_as_it_is_written(tmp_path):
    path = tmp_path / "m.jsonl"
    with Journal(path, keep_before=0) as journal:
        journal.write(ROWS[0])
        assert read_journal(path) == ROWS[:1]


def test_no_file_has_no_rows(tmp_path):
    assert read_journal(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_last_line_cut_short_is_left_out(tmp_path, cut):
    path = written(tmp_path / "m.jsonl")
    path.write_bytes(path.read_bytes()[:-cut])
    assert read_journal(path) == ROWS[:2]
    written(path, ROWS[2:], keep_before=2)
    assert read_journal(path) == ROWS


def test_resuming_drops_the_rows_it_will_write_again(tmp_path):
    path = written(tmp_path / "m.jsonl")
    written(path, [{"step": 2, "loss": 9.0}], keep_before=1)
    assert read_journal(path) == [ROWS[0], {"step": 2, "loss": 9.0}]


def test_a_new_run_starts_an_empty_journal(tmp_path):
    path = written(tmp_path / "m.jsonl")
    written(path, [], keep_before=0)
    assert path.read_text() == ""


@pytest.mark.parametrize("harm", [b"\0\0\0\0", b"[2]", b'{"loss": 1}'])
def test_rows_after_one_that_cannot_be_read_are_left_out(tmp_path, harm):
    path = written(tmp_path / "m.jsonl")
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], harm, *lines[2:]]))
    assert read_journal(path) == ROWS[:1]


def test_a_disk_that_is_full_is_told_with_the_file(tmp_path):
    with Journal(tmp_path / "m.jsonl", keep_before=0) as journal:
        journal._file.close()
        with Path("/dev/full").open("wb", buffering=0) as journal._file:
            with pytest.raises(OutputError) as caught:
                journal.write(ROWS[0])
            assert caught.value.code == "output.disk_full"
            assert caught.value.path == str(tmp_path / "m.jsonl")
