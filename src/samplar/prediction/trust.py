"""What is said of each predicted case without its truth: one small file per case."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from samplar.evaluation.expected import expected_dsc, expected_errors, gaps
from samplar.evaluation.trust import CaseTrust
from samplar.io.atomic import ensure_writable, write_bytes
from samplar.io.wording import few
from samplar.prediction.doubt import Doubt

if TYPE_CHECKING:
    from samplar.prediction.adapter import AdapterCard

FOLDER = "trust"
"""Folder beside the labels: a record has the name of its case."""


def case_trust(case: str, file: str, doubt: Doubt, card: AdapterCard) -> CaseTrust:
    """Say how far to trust the labels of one case, and why.

    Args:
        case: its id.
        file: name of the label file.
        doubt: what its probabilities add up to.
        card: of the adapter.
    """
    predicted, inside, total = (
        np.stack(rows) for rows in (doubt.predicted, doubt.inside, doubt.total)
    )
    values = [None if v is None else round(v, 2) for v in expected_dsc(predicted, inside, total)]
    classes = dict(zip(card.class_names, values, strict=True))
    known = [value for value in classes.values() if value is not None]
    doubtful, given = sum(doubt.doubtful), int(predicted.sum())
    worst = int(expected_errors(predicted, inside, total).argmax())
    return CaseTrust(
        case=case,
        file=file,
        calibrated=card.calibration.calibrated,
        expected_dsc=round(fmean(known), 2) if known else None,
        per_class=classes,
        doubtful=round(doubtful / max(doubtful + given, 1), 4),
        plane=card.plane,
        slice=worst,
        reasons=_reasons(classes, predicted),
    )


def write_trust(out: Path, trust: CaseTrust) -> None:
    """Write the record of a case into the folder of a prediction.

    Raises:
        OutputError: see `samplar.io.atomic.write_with`.
    """
    folder = out / FOLDER
    if out.is_dir() and not folder.is_dir():  # an output folder that went away stays away
        ensure_writable(folder)
    data = (trust.model_dump_json(indent=1) + "\n").encode()
    write_bytes(folder / f"{trust.case}.json", data)


def _reasons(classes: dict[str, float | None], predicted: np.ndarray) -> tuple[str, ...]:
    missing = [name for name, value in classes.items() if value is None]
    reasons = [f"not found: {few(missing)}"] if missing else []
    for name, counts in zip(classes, predicted.T, strict=True):
        holes = [f"{above} and {below}" for above, below in gaps(counts)]
        if holes:
            reasons.append(f"{name} vanishes between slices {few(holes, 3)}")
    return tuple(reasons)
