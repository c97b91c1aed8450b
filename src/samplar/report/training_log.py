"""The rows of `metrics.jsonl`, as they are drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from samplar.errors import InputError


class TrainingRow(BaseModel):
    """One logged iteration; `seconds` since the start. Other keys are left out."""

    model_config = ConfigDict(extra="ignore", frozen=True, ser_json_inf_nan="constants")

    step: int
    loss: float
    lr: float
    seconds: float


def read_training_log(path: Path) -> list[TrainingRow]:
    """Read `metrics.jsonl`. A last line without its end, of a run that was stopped, is left out.

    Raises:
        InputError: `report.metrics`, naming the first line that is not a row.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    rows = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            rows.append(TrainingRow.model_validate_json(line))
        except ValidationError as error:
            raise InputError(
                f"line {number} is not a row with step, loss, lr and seconds",
                fix="Restore the file that the training wrote",
                code="report.metrics",
                path=path,
            ) from error
    return rows


def finite(rows: Sequence[TrainingRow]) -> list[TrainingRow]:
    """Leave out the rows whose loss or learning rate is not a finite number."""
    return [row for row in rows if math.isfinite(row.loss) and math.isfinite(row.lr)]


def smoothed(values: Sequence[float], *, keep: float = 0.9) -> list[float]:
    """Return the running mean that forgets, corrected for its start (as in Adam)."""
    result, total = [], 0.0
    for count, value in enumerate(values, start=1):
        total = keep * total + (1 - keep) * value
        result.append(total / (1 - keep**count))
    return result
