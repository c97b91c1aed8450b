from __future__ import annotations

import json
import math

import pytest

from samplar.errors import InputError
from samplar.report.training_log import TrainingRow, finite, read_training_log, smoothed


def line(step: int, **more) -> str:
    return json.dumps({"step": step, "loss": 1.0 / step, "lr": 0.1, "seconds": 2.0} | more)


def test_reads_rows_and_leaves_other_keys(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(1) + "\n" + line(2, memory=7) + "\n")

    assert read_training_log(path) == [
        TrainingRow(step=1, loss=1.0, lr=0.1, seconds=2.0),
        TrainingRow(step=2, loss=0.5, lr=0.1, seconds=2.0),
    ]


def test_the_half_written_last_line_of_a_stopped_run_is_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(1) + "\n" + line(2)[:17])

    assert [row.step for row in read_training_log(path)] == [1]


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(1) + "\n{}\n" + line(3) + "\n")

    with pytest.raises(InputError, match="line 2 is not a row") as refused:
        read_training_log(path)
    assert str(path) in str(refused.value)


def test_rows_that_are_not_finite_are_not_drawn(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(1) + "\n" + line(2, loss=math.nan) + "\n" + line(3, lr=math.inf) + "\n")

    assert [row.step for row in finite(read_training_log(path))] == [1]


def test_running_mean_by_hand():
    assert smoothed([4.0, 4.0, 4.0]) == pytest.approx([4.0, 4.0, 4.0])
    assert smoothed([1.0, 3.0], keep=0.5) == pytest.approx([1.0, (0.25 + 1.5) / 0.75])
