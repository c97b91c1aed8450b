"""Segment images with an adapter."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from samplar.errors import UsageError
from samplar.io.atomic import ensure_writable
from samplar.io.dataset import Case, Dataset, find_images, read_dataset
from samplar.io.layouts.detect import is_dataset
from samplar.io.splits import Subset
from samplar.methods.contract import is_oracle
from samplar.prediction.adapter import load_adapter, read_card
from samplar.prediction.predict import Options, Outcome, outcome_of, predict_here
from samplar.prediction.worker import Job
from samplar.prediction.workers import Workers
from samplar.sam.device import chosen_device
from samplar.sam.precision import chosen_precision


@dataclass(frozen=True)
class Inputs:
    """What to predict: the cases, and the data set they belong to if it is one."""

    cases: tuple[Case, ...]
    dataset: Dataset | None


@dataclass(frozen=True)
class Predicted:
    """What came out, and the seconds that it took, the loading of the model included."""

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
    workers: int = 1,
    on_case: Callable[[int, str], None],
) -> Predicted:
    """Predict every case with the adapter in `folder` and write label files into `out`.

    Args:
        folder: a run folder or an adapter folder.
        inputs: what `find_inputs` found.
        out: made if absent; checked to be writable before anything is computed.
        options: what to write besides labels; its precision `auto` means the adapter's.
        device: where to compute; with `cuda` and several GPUs each worker has its own.
        workers: how many processes share the cases, and the threads of this one among them.
        on_case: told how many cases are done, and which comes next where that is known.

    Raises:
        SamplarError: before the first case; the failures of single cases are in the outcome.
    """
    ensure_writable(out)
    card, where = read_card(folder), chosen_device(device)
    wanted = card.precision if options.precision == "auto" else options.precision
    options = replace(options, precision=chosen_precision(wanted, where))
    job = Job(folder, inputs.cases, inputs.dataset, out, options)
    start = time.monotonic()
    if workers > 1 and len(job.cases) > 1:
        team = Workers(job, count=workers, device=where, on_case=on_case)
        outcome = outcome_of(job.cases, team.run())
        outcome.notes += team.notes
    else:
        model = load_adapter(folder, device=where)
        results = predict_here(job.stages(model), job.cases, on_case=on_case)
        outcome = outcome_of(job.cases, results)
    if is_oracle(card.prompted):
        told = f"{card.shown_name} reads the truth; do not compare it with methods that do not"
        outcome.notes.insert(0, told)
    return Predicted(outcome, time.monotonic() - start)
