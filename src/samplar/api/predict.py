"""Segment images with an adapter."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from samplar.errors import UsageError
from samplar.evaluation.trust import CaseTrust
from samplar.io.atomic import ensure_writable
from samplar.io.dataset import Case, Dataset, find_images, read_dataset
from samplar.io.layouts.detect import is_dataset
from samplar.io.lock import sole_writer
from samplar.io.splits import Subset
from samplar.methods.adapted import Keeper
from samplar.methods.contract import is_oracle
from samplar.prediction.adapter import AdapterCard, load_adapter, read_card
from samplar.prediction.launch import Launch
from samplar.prediction.predict import Options, Outcome, Result, outcome_of, predict_here
from samplar.prediction.review import review_queue, write_review
from samplar.prediction.worker import Job
from samplar.prediction.workers import Workers
from samplar.sam.device import chosen_device, device_of
from samplar.sam.precision import chosen_precision


@dataclass(frozen=True)
class Inputs:
    """What to predict: the cases, and the data set they belong to if it is one."""

    cases: tuple[Case, ...]
    dataset: Dataset | None


@dataclass(frozen=True)
class Predicted:
    """What came out.

    Args:
        outcome: of all cases, or, where `shared` is true, of those of this process.
        seconds: how long it took, the loading of the model included.
        shared: whether this is one of several launched processes and another one has it all.
        review: the cases in `out`, those to look at first at the top; empty where `shared` is true.
    """

    outcome: Outcome
    seconds: float
    shared: bool = False
    review: tuple[CaseTrust, ...] = ()


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
    launch: Launch | None = None,
    keeper: Keeper | None = None,
    on_case: Callable[[int, str], None],
) -> Predicted:
    """Predict every case with the adapter in `folder` and write label files into `out`.

    Cases that are finished there, by the same adapter and settings, are verified and kept.

    Args:
        folder: a run folder or an adapter folder.
        inputs: what `find_inputs` found.
        out: made if absent; checked to be writable before anything is computed.
        options: what to write besides labels; its precision `auto` means the adapter's.
        device: where to compute; with `cuda` and several GPUs each worker has its own.
        workers: how many processes share the cases, and the threads of this one among them.
        launch: which of several processes this is, as `launched` says; each takes its share.
        keeper: keeps what the frozen part of the encoder makes of slices; for one process only.
        on_case: told how many cases are done, and which comes next where that is known.

    Raises:
        UsageError: `launch.workers` for workers in launched processes; `predict.other` or
            `predict.exists` for a folder with other predictions.
        SamplarError: before the first case; the failures of single cases are in the outcome.
    """
    ensure_writable(out)
    review_queue(out)  # a damaged record of an earlier run is refused now, not after hours
    card, where = read_card(folder), chosen_device(device)
    wanted = card.precision if options.precision == "auto" else options.precision
    options = replace(options, precision=chosen_precision(wanted, where))
    job = Job(folder, inputs.cases, inputs.dataset, out, options)
    start = time.monotonic()
    if launch is not None:
        _check_no_workers(workers)
        results, notes = _predict_share(job, launch, device_of(where, launch.local_rank), on_case)
    else:
        with _reserved(job) as notes:
            results = _predict_all(job, where, workers, on_case, notes, keeper=keeper)
    outcome = outcome_of(job.cases, results)
    outcome.notes[:0] = [*_oracle_note(card), *_trust_note(card), *notes]
    shared = launch is not None and launch.rank > 0
    review = () if shared else tuple(write_review(out))
    return Predicted(outcome, time.monotonic() - start, shared, review)


@contextmanager
def _reserved(job: Job) -> Iterator[list[str]]:
    """Have the output folder to oneself, if it holds no other predictions; give notes about it."""
    with sole_writer(job.out) as note:
        job.records().check(case.id for case in job.cases)
        yield [note] if note else []


def _predict_all(
    job: Job,
    device: torch.device,
    workers: int,
    on_case: Callable[[int, str], None],
    notes: list[str],
    *,
    keeper: Keeper | None,
) -> dict[int, Result]:
    if workers > 1 and len(job.cases) > 1:
        team = Workers(job, count=workers, device=device, on_case=on_case)
        results = team.run()
        notes += team.notes
        return results
    model = load_adapter(job.adapter, device=device)
    model.keeper = keeper
    return predict_here(job.stages(model), job.cases, on_case=on_case)


def _predict_share(
    job: Job, launch: Launch, device: torch.device, on_case: Callable[[int, str], None]
) -> tuple[dict[int, Result], list[str]]:
    numbers = launch.share(len(job.cases))

    def tell(done: int, name: str) -> None:
        # the others are about as far
        on_case(min(done * launch.world, len(job.cases)), name)

    with launch.meeting() as meeting, ExitStack() as held:
        notes: list[str] = []
        if launch.rank == 0:
            notes = held.enter_context(_reserved(job))
            meeting.begin()
        else:
            meeting.wait()
        stages = job.stages(load_adapter(job.adapter, device=device))
        found = predict_here(stages, [job.cases[n] for n in numbers], on_case=tell)
        return meeting.gathered({numbers[n]: r for n, r in found.items()}, job.cases), notes


def _check_no_workers(workers: int) -> None:
    if workers > 1:
        raise UsageError(
            f"{workers} workers in each of several launched processes",
            fix="Leave --workers out: the launcher says how many processes there are",
            code="launch.workers",
        )


def _oracle_note(card: AdapterCard) -> list[str]:
    if not is_oracle(card.prompted):
        return []
    return [f"{card.shown_name} reads the truth; do not compare it with methods that do not"]


def _trust_note(card: AdapterCard) -> list[str]:
    if card.calibration.calibrated:
        return []
    return [
        f"{card.calibration.line()}; the expected DSC is too high, and at best puts cases in order"
    ]
