"""The review queue of a prediction: its cases, those to look at first at the top."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from samplar.evaluation.trust import CaseTrust, read_case_trust
from samplar.io.atomic import remove_file, whole_files, write_bytes
from samplar.prediction.trust import FOLDER

REVIEW = "review.csv"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def review_queue(out: Path) -> list[CaseTrust]:
    """Return the records of the cases whose labels are there, worst first.

    A case in which no class was found comes before all others. All cases of the folder are in it,
    so that a run which completes another one has the whole queue.

    Args:
        out: the output folder of a prediction.

    Raises:
        InputError: `trust.unreadable`.
    """
    records = [read_case_trust(path) for path in whole_files(out / FOLDER, "*.json")]
    found = [record for record in records if (out / record.file).is_file()]
    return sorted(found, key=lambda r: (-1.0 if r.expected_dsc is None else r.expected_dsc, r.case))


def write_review(out: Path) -> list[CaseTrust]:
    """Write review.csv, worst case first, and return its rows.

    Raises:
        InputError: `trust.unreadable`.
        OutputError: see `samplar.io.atomic.write_with`.
    """
    queue = review_queue(out)
    if queue:
        write_bytes(out / REVIEW, _table(queue).encode())
    else:
        remove_file(out / REVIEW)
    return queue


def _table(queue: list[CaseTrust]) -> str:
    names = list(dict.fromkeys(name for record in queue for name in record.per_class))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    head = ["case", "file", "expected_dsc", *(f"expected {name}" for name in names)]
    table.writerow(_safe([*head, "doubtful", "slice", "calibrated", "reason"]))
    for record in queue:
        expected = [record.expected_dsc, *(record.per_class.get(name) for name in names)]
        numbers = ["" if value is None else f"{value:.1f}" for value in expected]
        rest = [f"{record.doubtful:.3f}", str(record.slice)]
        told = ["yes" if record.calibrated else "no", record.why()]
        table.writerow(_safe([record.case, record.file, *numbers, *rest, *told]))
    return text.getvalue()


def _safe(cells: list[str]) -> list[str]:
    """Keep a spreadsheet from taking a name for a formula."""
    return [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells]
