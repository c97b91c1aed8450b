"""Segment images with an adapter."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from samplar.errors import UsageError
from samplar.io.atomic import ensure_writable
from samplar.io.dataset import Case, Dataset, find_images, read_case, read_dataset
from samplar.io.layouts.detect import is_dataset
from samplar.io.slicing import Plane
from samplar.io.splits import Subset
from samplar.prediction.adapter import load_adapter, read_card
from samplar.prediction.predict import Options, Outcome, predict_cases
from samplar.sam.device import chosen_device
from samplar.sam.precision import chosen_precision


@dataclass(frozen=True)
class Inputs:
    """What to predict: the cases, and the data set they belong to if it is one."""

    cases: tuple[Case, ...]
    dataset: Dataset | None


@dataclass(frozen=True)
class Predicted:
    """What came out, and the seconds from first to last case."""

    outcome: Outcome
    seconds: float


def find_inputs(
    paths: Sequence[Path],
    *,
    split: Path | None = None,
    subset: Subset | None = None,
    sequences: int = 1,
) -> Inputs:
    """Find the cases in image files, folders of images, or one data set folder.

    Args:
        paths: as given by the user.
        split: a JSON of subjects; only for a data set.
        subset: the side of the split; `test` if a split is given without it.
        sequences: how many files make one image, as the adapter's card says.

    Raises:
        InputError: nothing there, or what the readers of data sets refuse.
        UsageError: `split.not_dataset` for a split with plain images.
    """
    if len(paths) == 1 and is_dataset(paths[0]):
        side: Subset | None = subset or ("test" if split else None)
        dataset = read_dataset(paths[0], split=split, subset=side)
        return Inputs(dataset.cases, dataset)
    if split is not None or subset is not None:
        raise UsageError(
            "a split goes with a data set folder, and these are images",
            fix="Give the folder that holds images/ and labels/, or leave --split out",
            code="split.not_dataset",
        )
    return Inputs(tuple(find_images(paths, sequences=sequences)), None)


def predict(
    folder: Path,
    inputs: Inputs,
    out: Path,
    *,
    options: Options,
    device: str = "auto",
    on_case: Callable[[int, str], None],
) -> Predicted:
    """Predict every case with the adapter in `folder` and write label files into `out`.

    Args:
        folder: a run folder or an adapter folder.
        inputs: what `find_inputs` found.
        out: made if absent; checked to be writable before anything is computed.
        options: what to write besides labels; its precision `auto` means the adapter's.
        device: where to compute.
        on_case: told how many cases are done, and which comes next.

    Raises:
        SamplarError: before the first case; the failures of single cases are in the outcome.
    """
    ensure_writable(out)
    card, where = read_card(folder), chosen_device(device)
    wanted = card.precision if options.precision == "auto" else options.precision
    options = replace(options, precision=chosen_precision(wanted, where))
    model = load_adapter(folder, device=where)
    start = time.monotonic()
    outcome = predict_cases(
        model,
        card,
        inputs.cases,
        out,
        options=options,
        truth=_truth(inputs.dataset, card.plane) if model.oracle else None,
        on_case=on_case,
    )
    if model.oracle:
        told = f"{card.shown_name} reads the truth; do not compare it with methods that do not"
        outcome.notes.insert(0, told)
    return Predicted(outcome, time.monotonic() - start)


def _truth(dataset: Dataset | None, plane: Plane) -> Callable[[Case], np.ndarray | None]:
    def known(case: Case) -> np.ndarray | None:
        return None if dataset is None else read_case(case, dataset, plane=plane)[1]

    return known
